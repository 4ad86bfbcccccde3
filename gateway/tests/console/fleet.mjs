// A fleet as in production, on free ports: Redis, a mock upstream, gateway processes. Everything started is stopped by handle.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BIN = process.env.GATEWAY_BIN_DIR ?? new URL("../../../target/debug/", import.meta.url).pathname;

export const sleep = (millis) => new Promise((wake) => setTimeout(wake, millis));

/** Waits until `condition` gives something true, and gives that. */
export async function eventually(what, condition, patience = 20_000) {
  const deadline = Date.now() + patience;
  for (;;) {
    const got = await Promise.resolve().then(condition).catch(() => null);
    if (got) return got;
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await sleep(20);
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const ended = (child) => new Promise((resolve) => (child.exitCode === null ? child.once("exit", resolve) : resolve()));

export class Fleet {
  children = [];
  folder = mkdtempSync(join(tmpdir(), "gateway-console-"));

  /** `file` makes a configuration in TOML, with upstreams of its own if it likes. What it leaves out, the variables below say. */
  static async start(replicas = 2, variables = {}, file = async () => "") {
    const fleet = new Fleet();
    try {
      await fleet.begin(replicas, variables, file);
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  async begin(replicas, variables, file) {
    this.redisPort = await freePort();
    this.run("redis-server", ["--port", this.redisPort, "--save", "", "--dir", this.folder], {});
    this.mock = await this.upstream();
    this.write(await file(this));
    this.gateways = [];
    for (let index = 0; index < replicas; index++) this.gateways.push(await this.gateway(index, variables));
    await eventually("every replica sees all", async () => {
      const counts = await Promise.all(this.gateways.map(async ({ admin }) => (await (await fetch(`${admin}/api/v1/fleet`)).json()).replicas.length));
      return counts.every((count) => count === replicas);
    });
  }

  /** Another mock; resolves to its address. */
  async upstream() {
    const mock = `http://127.0.0.1:${await freePort()}`;
    this.run(join(BIN, "upstream-mock"), ["--listen", mock.slice(7)], {});
    await eventually("the mock answers", async () => (await fetch(`${mock}/ok`)).ok);
    return mock;
  }

  /** Writes the configuration of all; read again by whoever is told to. */
  write(file) {
    writeFileSync(join(this.folder, "gateway.toml"), file);
  }

  async gateway(index, variables) {
    const [proxy, admin] = [await freePort(), await freePort()];
    this.run(join(BIN, "gateway"), [], {
      GATEWAY_CONFIG: join(this.folder, "gateway.toml"),
      GATEWAY__SERVER__WATCH_CONFIG: "false",
      UPSTREAM_URL: this.mock,
      REDIS_URL: `redis://127.0.0.1:${this.redisPort}`,
      GATEWAY__SERVER__LISTEN: `127.0.0.1:${proxy}`,
      GATEWAY__SERVER__WORKERS: "1",
      GATEWAY__SERVER__NAME: `edge-${index + 1}`,
      GATEWAY__STORE__TIMEOUT: "200ms",
      GATEWAY__ADMIN__LISTEN: `127.0.0.1:${admin}`,
      LOG_LEVEL: "warn",
      ...variables,
    });
    const urls = { proxy: `http://127.0.0.1:${proxy}`, admin: `http://127.0.0.1:${admin}` };
    await eventually("a gateway is ready", async () => (await fetch(`${urls.admin}/readyz`)).ok);
    return urls;
  }

  run(program, args, env) {
    const child = spawn(program, args.map(String), { env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "ignore", "inherit"] });
    this.children.push(child);
    return child;
  }

  /** Requests at about `perSecond`, spread over the gateways, until the returned function is called. */
  load(perSecond, path = "/proxy/ok") {
    let running = true;
    const one = async (index) => {
      while (running) {
        const { proxy } = this.gateways[index % this.gateways.length];
        await fetch(proxy + path).then((answer) => answer.arrayBuffer()).catch(() => {});
        await sleep(8_000 / perSecond);
      }
    };
    const all = Promise.all(Array.from({ length: 8 }, (_, index) => one(index)));
    return async () => {
      running = false;
      await all;
    };
  }

  async failing(fails) {
    await fetch(`${this.mock}/simulate-${fails ? "failure" : "recovery"}`, { method: "POST" });
  }

  async stop() {
    for (const child of [...this.children].reverse()) {
      child.kill("SIGTERM");
      await Promise.race([ended(child), sleep(5_000).then(() => child.kill("SIGKILL"))]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
