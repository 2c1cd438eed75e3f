// What the tests of clients share: a server of their own, a query to it, CSV files, and commands.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = process.env.COUNTERPART_BIN ?? join(ROOT, "target/debug/counterpart");
export const SCHEMA = join(ROOT, "schema.graphql");
/** The integration of the demonstration organisation. */
export const INTEGRATION = { name: "Salesforce" };

/** The text of a document that the tests, the code generator and a reader share. */
export const document = (name) => readFileSync(join(HERE, "documents", `${name}.graphql`), "utf8");

/**
 * Starts `serve --demo` on a free port and an empty folder, waits until it is ready, and ends it after the file's tests.
 * Gives its address and its administrator's token, what signs a request in, and `api` to ask it something.
 */
export async function startServer() {
  const folder = await mkdtemp(join(tmpdir(), "counterpart-clients-"));
  const origin = `http://127.0.0.1:${await freePort()}`;
  // Settings of the person who runs the test are not the test's.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("COUNTERPART_")));
  const server = spawn(BINARY, ["serve", "--demo"], {
    cwd: folder,
    env: {
      ...env,
      COUNTERPART_LISTEN: new URL(origin).host,
      COUNTERPART_DATA_DIR: folder,
      DATABASE_URL: `sqlite://${join(folder, "counterpart.db")}?mode=rwc`,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // However this process ends, the server does not outlive it.
  process.on("exit", () => server.kill("SIGKILL"));
  after(async () => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill("SIGTERM");
      await Promise.race([once(server, "exit"), sleep(5_000, undefined, { ref: false })]);
      server.kill("SIGKILL");
    }
    await rm(folder, { recursive: true, force: true });
  });
  let printed = "";
  let log = "";
  server.stdout.on("data", (chunk) => (printed += chunk));
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (chunk) => (log += chunk));
  // A server that ends, or can't be started (which `once` rejects with), is not waited for.
  const ended = once(server, "exit").then(() => assert.fail(`${BINARY} ended before it was ready:\n${log}`));
  const token = await Promise.race([
    ended,
    eventually(async () => {
      const found = printed.match(/cpt_[A-Za-z0-9_-]+/)?.[0];
      assert.ok(found, `no token on standard output:\n${log}`);
      assert.equal((await fetch(`${origin}/health/ready`)).status, 200);
      return found;
    }),
  ]);
  ended.catch(() => {});
  const url = `${origin}/graphql`;
  const headers = { Authorization: `Bearer ${token}` };
  const api = async (query, variables = {}) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    assert.equal(errors, undefined, JSON.stringify(errors));
    return data;
  };
  return { origin, url, socketUrl: url.replace("http", "ws"), token, headers, api, log: () => log };
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** Tries again until it holds; what it last failed with is what the test fails with. */
export async function eventually(check) {
  const end = Date.now() + 30_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
}

/** Runs a command in this folder to its end, which must be a good one; gives what it printed. */
export function run(command, parameters, env = {}) {
  return new Promise((resolve, reject) => {
    const options = { cwd: HERE, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
    execFile(command, parameters, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${parameters.join(" ")}: ${error.code ?? error.signal}\n${stdout}\n${stderr}`));
      else resolve(stdout);
    });
  });
}

/** The path of a program that npm has installed here. */
export const program = (name) => join(HERE, "node_modules/.bin", name);

/** A file of users to add: as many as asked for, whom nobody else has. */
export function usersFile(prefix, count) {
  const header =
    "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Status,Suspended At,Operation";
  const rows = Array.from({ length: count }, (_, at) => `${prefix}${at}@clients.example,Zoë,Number ${at},,,,,,,,,,Add`);
  return [header, ...rows, ""].join("\r\n");
}

/** A file that maps a user who has no mapping to a CRM user whom nobody is mapped to, and a user who does not exist. */
export async function mappingsFile(api) {
  const { users, integration } = await api(
    `query ($integration: IntegrationRef!) {
      users(first: 1, filter: { link: { integration: $integration, state: [NO_MATCH, AMBIGUOUS, MATCH_INACTIVE] } }) { nodes { email } }
      integration(by: $integration) { crmUsers(first: 1, filter: { isActive: true, isMapped: false }) { nodes { externalId } } }
    }`,
    { integration: INTEGRATION },
  );
  const [{ email }] = users.nodes;
  const [{ externalId }] = integration.crmUsers.nodes;
  const lines = ["email,external_id,alias_email,operation", `${email},${externalId},,add`, `nobody@clients.example,${externalId},,add`, ""];
  return { email, externalId, csv: lines.join("\r\n") };
}

/** What became of an import, when it has ended. */
export function importEnded(api, id) {
  return eventually(async () => {
    const { importJob } = await api("query ($id: ID!) { importJob(id: $id) { status fileName totalRows created failed } }", { id });
    assert.equal(importJob.status, "COMPLETED");
    return importJob;
  });
}

/** An import that goes on for long enough that it can be watched and left. */
export async function longImport(api, prefix) {
  const { payload } = await api(
    "mutation ($input: ImportUsersInput!) { payload: importUsers(input: $input) { importJob { id } userErrors { code message } } }",
    { input: { source: { text: usersFile(prefix, 2_000) } } },
  );
  assert.deepEqual(payload.userErrors, []);
  return payload.importJob.id;
}
