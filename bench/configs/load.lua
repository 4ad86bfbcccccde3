-- wrk: a client address for each request where the scenario wants one, and the result as one line of JSON.
local clients = tonumber(os.getenv("BENCH_CLIENTS") or "0")
local number = 0

if clients > 0 then
    request = function()
        number = (number + 1) % clients
        local text = string.format("%d.%d.%d.%d", 11 + math.floor(number / 16777216),
            math.floor(number / 65536) % 256, math.floor(number / 256) % 256, number % 256)
        return wrk.format(nil, nil, { ["X-Forwarded-For"] = text })
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
