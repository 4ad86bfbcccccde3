-- wrk: a client address or a target for each request where the scenario wants one, and the result as one line of JSON.
local clients = tonumber(os.getenv("BENCH_CLIENTS") or "0")
local first = tonumber(os.getenv("BENCH_FIRST") or "0")
local targets = tonumber(os.getenv("BENCH_TARGETS") or "0")
local number = 0

if clients > 0 then
    request = function()
        number = (number + 1) % clients
        local at = first + number
        local text = string.format("%d.%d.%d.%d", 11 + math.floor(at / 16777216),
            math.floor(at / 65536) % 256, math.floor(at / 256) % 256, at % 256)
        return wrk.format(nil, nil, { ["X-Forwarded-For"] = text })
    end
elseif targets > 0 then
    request = function()
        number = (number + 1) % targets
        return wrk.format(nil, wrk.path .. "?n=" .. number)
    end
end

-- Headers of every request, one a line: "Name: value".
for line in (os.getenv("BENCH_HEADERS") or ""):gmatch("[^\n]+") do
    local name, value = line:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
end

done = function(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "micros": %d, "broken": %d, "refused": %d, "p50": %d, "p99": %d, "p999": %d}\n',
        summary.requests, summary.duration, errors.connect + errors.read + errors.write + errors.timeout,
        errors.status, latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
