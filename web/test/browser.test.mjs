// The pages as a person meets them: the built server, started on an empty folder with the demonstration organisation,
// and a real Chromium. Needs the server to be built (COUNTERPART_BIN, else ../target/debug/counterpart) and
// Chromium (COUNTERPART_CHROMIUM, else the one on the PATH).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const PATIENCE = 30_000;
const CHROMIUM = [
  process.env.COUNTERPART_CHROMIUM,
  ...(process.env.PATH ?? "").split(delimiter).flatMap((folder) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(folder, name))),
].find((path) => path && existsSync(path));

let folder;
let server;
let origin;
let token;
let browser;

before(async () => {
  assert.ok(CHROMIUM, "no Chromium found: install it, or name it in COUNTERPART_CHROMIUM");
  folder = await mkdtemp(join(tmpdir(), "counterpart-browser-"));
  await startServer();
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    // What Chromium would ask its maker's hosts for by itself is switched off: a test talks to the server and nobody else.
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});

after(async () => {
  await browser?.close();
  if (server && server.exitCode === null && server.signalCode === null) {
    server.kill("SIGTERM");
    await Promise.race([once(server, "exit"), sleep(5_000, undefined, { ref: false })]);
    server.kill("SIGKILL");
  }
  if (folder) await rm(folder, { recursive: true, force: true });
});

test("the start page refuses a token that is not one", async () => {
  await inPage("/", async (page, heard) => {
    await page.getByLabel("API token").fill("cpt_not-a-token");
    await page.getByRole("button", { name: "Sign in" }).click();
    await eventually(async () => assert.match((await page.textContent("#sign-in-message")) ?? "", /token/i));
    assert.equal(await page.isVisible("#coverage-section"), false);
    assert.equal(await page.evaluate(() => sessionStorage.length), 0, "a refused token is kept");
    // The browser itself reports the 401 that was asked for.
    heard.errors = heard.errors.filter((text) => !text.includes("401"));
  });
});

test("the start page signs in, shows coverage, and signs out", async () => {
  const { viewer, integrations } = await api("{ viewer { email } integrations { name coverage { users mapped } } }");
  assert.ok(integrations.length > 0, "the demonstration has an integration");
  await inPage("/", async (page) => {
    await signIn(page);
    assert.match(await page.innerText("#viewer"), new RegExp(escape(viewer.email)));
    for (const { name, coverage } of integrations) {
      const row = page.locator("#coverage tbody tr", { hasText: name });
      await row.waitFor({ timeout: PATIENCE });
      const cells = await row.locator("td").allInnerTexts();
      assert.equal(digits(cells[0]), coverage.users);
      assert.equal(digits(cells[1].split("(")[0]), coverage.mapped);
    }
    for (const path of ["/graphiql", "/schema.graphql", "/templates/users.csv", "/templates/mappings.csv", "/templates/crm-users.csv"]) {
      assert.equal(await page.locator(`a[href="${path}"]`).count(), 1, `a link to ${path}`);
      assert.equal((await fetch(origin + path)).status, 200, path);
    }
    // Signed in for as long as the tab lives, and not after signing out.
    await page.reload();
    await page.locator("#signed-in").waitFor({ timeout: PATIENCE });
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API token").waitFor({ timeout: PATIENCE });
    assert.equal(await page.isVisible("#coverage-section"), false);
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });
});

test("GraphiQL runs the team tree that it opens with", async () => {
  const { teams } = await api(`{
    teams(first: 5, filter: { rootsOnly: true }) {
      nodes { members(first: 10) { nodes { email } } children(first: 5) { nodes { members(first: 10) { nodes { email } } } } }
    }
  }`);
  const member = teams.nodes.flatMap((root) => [root, ...root.children.nodes]).flatMap((team) => team.members.nodes)[0];
  assert.ok(member, "the demonstration's teams have members");
  await inPage("/graphiql", async (page) => {
    await signIn(page);
    await runInGraphiql(page);
    await eventually(async () => assert.ok((await graphiqlAnswer(page)).includes(member.email), await graphiqlAnswer(page)));
    assert.deepEqual(JSON.parse(await graphiqlAnswer(page)).errors, undefined);
  });
});

let importedJob;

test("a mappings file with a bad row goes in, and its log comes out", async () => {
  const { integrations } = await api("{ integrations { id name coverage { mapped } } }");
  const { integration, user, crmUser } = await pairToMap(integrations);
  const csv = [
    "email,external_id,alias_email,operation",
    `${user.email},${crmUser.externalId},,add`,
    `nobody@nowhere.example,${crmUser.externalId},,add`,
    "",
  ].join("\r\n");
  await inPage("/", async (page) => {
    await signIn(page);
    await page.getByLabel("What the file holds").selectOption("MAPPINGS");
    await page.locator("#import-integration option", { hasText: integration.name }).waitFor({ state: "attached", timeout: PATIENCE });
    await page.locator("#import-integration").selectOption({ label: integration.name });
    await page.getByLabel("CSV file", { exact: true }).setInputFiles({ name: "team.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
    const uploaded = page.waitForResponse((response) => response.request().headers()["content-type"]?.startsWith("multipart/") ?? false);
    await page.getByRole("button", { name: "Import" }).click();
    importedJob = (await (await uploaded).json()).data?.payload.importJob;

    await page.locator("#import-counts").waitFor({ timeout: PATIENCE });
    assert.match(await page.innerText("#import-counts"), /^1 created, (.*, )?1 failed$/);
    assert.match(await page.innerText("#import-result"), /USER_NOT_FOUND/);

    const [download] = await Promise.all([page.waitForEvent("download", { timeout: PATIENCE }), page.click("#import-log")]);
    const lines = (await readFile(await download.path(), "utf8")).replace(/^\uFEFF/, "").trim().split(/\r?\n/);
    assert.equal(lines[0], "email,external_id,alias_email,operation,_line,_column,_code,_message");
    assert.equal(lines.length, 2, "one line for the one failed row");
    assert.match(lines[1], /^nobody@nowhere\.example,.*,3,email,USER_NOT_FOUND,/);

    // The table above the form follows by itself.
    const mapped = page.locator("#coverage tbody tr", { hasText: integration.name }).locator("td").nth(1);
    await eventually(async () => assert.equal(digits((await mapped.innerText()).split("(")[0]), integration.coverage.mapped + 1));
  });
});

test("GraphiQL subscribes over a websocket", async () => {
  assert.ok(importedJob, "there is an import to watch");
  await inPage("/graphiql", async (page, heard) => {
    await signIn(page);
    await runInGraphiql(page, `subscription Progress { importProgress(id: ${JSON.stringify(importedJob.id)}) { status failed } }`);
    await eventually(async () => assert.match(await graphiqlAnswer(page), /"status": "COMPLETED"/, await graphiqlAnswer(page)));
    assert.deepEqual(heard.sockets, [`${origin.replace("http", "ws")}/graphql`]);
  });
});

/** Starts `serve --demo` on a free port and an empty folder, and waits for the token and for readiness. */
async function startServer() {
  const port = await freePort();
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const binary = process.env.COUNTERPART_BIN ?? join(root, "target/debug/counterpart");
  // Settings of the person who runs the test are not the test's.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("COUNTERPART_")));
  server = spawn(binary, ["serve", "--demo"], {
    cwd: folder,
    env: {
      ...env,
      COUNTERPART_LISTEN: `127.0.0.1:${port}`,
      COUNTERPART_DATA_DIR: folder,
      DATABASE_URL: `sqlite://${join(folder, "counterpart.db")}?mode=rwc`,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  origin = `http://127.0.0.1:${port}`;
  let printed = "";
  let log = "";
  server.stdout.on("data", (chunk) => (printed += chunk));
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (chunk) => (log += chunk));
  // A server that ends, or can't be started (which `once` rejects with), is not waited for.
  const ended = once(server, "exit").then(() => assert.fail(`${binary} ended before it was ready:\n${log}`));
  await Promise.race([
    ended,
    eventually(async () => {
      token = printed.match(/cpt_[A-Za-z0-9_-]+/)?.[0];
      assert.ok(token, `no token on standard output:\n${log}`);
      assert.equal((await fetch(`${origin}/health/ready`)).status, 200);
    }),
  ]);
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** Opens a page in a profile of its own; afterwards nothing may have gone elsewhere, and nothing may have been complained of. */
async function inPage(path, visit) {
  const context = await browser.newContext({ acceptDownloads: true });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const heard = { errors: [], elsewhere: [], sockets: [] };
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  });
  page.on("console", (message) => message.type() === "error" && heard.errors.push(message.text()));
  page.on("pageerror", (error) => heard.errors.push(String(error)));
  page.on("websocket", (socket) => heard.sockets.push(socket.url()));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && !["data:", "blob:"].includes(url.protocol)) heard.elsewhere.push(request.url());
  });
  try {
    const response = await page.goto(origin + path);
    assert.equal(response.status(), 200);
    assert.match((await response.headerValue("content-security-policy")) ?? "", /script-src 'self'(;|$)/);
    await visit(page, heard);
    assert.deepEqual(heard.errors, [], "errors in the browser's console");
    assert.deepEqual(heard.elsewhere, [], "requests to another origin");
  } finally {
    await context.close();
  }
}

async function signIn(page) {
  await page.getByLabel("API token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#signed-in").waitFor({ timeout: PATIENCE });
}

async function runInGraphiql(page, document) {
  const editor = page.locator(".graphiql-query-editor .CodeMirror");
  await editor.waitFor({ timeout: PATIENCE });
  if (document) {
    await editor.evaluate((element, text) => element.CodeMirror.setValue(text), document);
    // GraphiQL looks a moment later which operations there are, and names its tab after the one that would run.
    const [, name] = document.match(/^\w+ (\w+)/);
    await page.locator(".graphiql-tab-button", { hasText: name }).waitFor({ timeout: PATIENCE });
  }
  await page.locator("button.graphiql-execute-button").click();
}

/** The whole answer: the editor draws only the lines in view. */
function graphiqlAnswer(page) {
  return page.locator(".result-window .CodeMirror").evaluate((element) => element.CodeMirror.getValue());
}

/** A user without a mapping, and an active CRM user that nobody is mapped to. */
async function pairToMap(integrations) {
  for (const integration of integrations) {
    const { users, found } = await api(
      `query ($id: ID!) {
        users(first: 1, filter: { link: { integration: { id: $id }, state: [NO_MATCH, AMBIGUOUS, MATCH_INACTIVE] } }) { nodes { email } }
        found: integration(by: { id: $id }) { crmUsers(first: 1, filter: { isActive: true, isMapped: false }) { nodes { externalId } } }
      }`,
      { id: integration.id },
    );
    const [user] = users.nodes;
    const [crmUser] = found.crmUsers.nodes;
    if (user && crmUser) return { integration, user, crmUser };
  }
  assert.fail("the demonstration has a user and a CRM user to map to each other");
}

async function api(query, variables = {}) {
  const response = await fetch(`${origin}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** Tries again until it holds; what it last failed with is what the test fails with. */
async function eventually(check) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(100);
    }
  }
}

const digits = (text) => Number(text.replace(/\D/g, ""));
const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
