// The way to the API. The token, if one is needed, lives in this tab alone.

const BASE = "/api/v1/";
const KEY = "gateway-token";

let asking = null;

/** How the page asks for a token; set once by the page. */
let askForToken = async () => null;
export function onTokenNeeded(ask) {
  askForToken = ask;
}

function headers(more = {}) {
  const token = sessionStorage.getItem(KEY);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

/** One request, again with a token when one was missing. */
async function send(path, options = {}) {
  for (;;) {
    const answer = await fetch(BASE + path, { ...options, headers: headers(options.headers), cache: "no-store" });
    if (answer.status !== 401) return answer;
    const hadToken = sessionStorage.getItem(KEY) !== null;
    sessionStorage.removeItem(KEY);
    asking ??= askForToken(hadToken).finally(() => (asking = null));
    const token = await asking;
    if (!token) return answer;
    sessionStorage.setItem(KEY, token);
  }
}

async function read(answer) {
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail ?? `${answer.status} ${answer.statusText}`);
  return body;
}

export const get = async (path) => read(await send(path));

export const post = async (path, body) =>
  read(await send(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));

/** Events for ever: `on.past`, `on.fleet`, and `on.lost` whenever the line breaks. EventSource could not send the token. */
export async function follow(on) {
  for (let pause = 500; ; pause = Math.min(pause * 2, 5000)) {
    try {
      const answer = await send("stream");
      if (!answer.ok) await read(answer);
      for await (const [name, data] of events(answer.body)) {
        pause = 500;
        on[name]?.(JSON.parse(data));
      }
      on.lost("the gateway closed the line");
    } catch (error) {
      on.lost(error.message);
    }
    await new Promise((wake) => setTimeout(wake, pause));
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (name && data) yield [name, data];
    }
  }
}
