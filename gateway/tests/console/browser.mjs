// Headless Chromium, and a page that notes everything that went wrong on it.

import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const PROGRAMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function launch() {
  const executablePath = process.env.CHROMIUM ?? PROGRAMS.find(existsSync);
  return chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "console-profile-")), {
    executablePath,
    headless: true,
    viewport: { width: 1360, height: 900 },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** Opens `url`. `page.wrong` lists console errors, uncaught errors, and requests to anywhere else. */
export async function open(context, url) {
  const page = await context.newPage();
  page.wrong = [];
  page.on("console", (message) => message.type() === "error" && page.wrong.push(message.text()));
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  page.on("request", (request) => request.url().startsWith(new URL(url).origin) || request.url().startsWith("data:") || page.wrong.push(`request to ${request.url()}`));
  if (process.env.CONSOLE_FILES) {
    const kinds = { html: "text/html", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };
    await page.route(/\/(console\/.*)?$/, async (route) => {
      const name = new URL(route.request().url()).pathname.split("/").pop() || "index.html";
      await route.fulfill({ path: join(process.env.CONSOLE_FILES, name), contentType: kinds[name.split(".").pop()] });
    });
  }
  await page.goto(url);
  return page;
}
