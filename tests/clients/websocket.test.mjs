// Operations over a websocket, with the npm package `graphql-ws`; and the codes of its protocol, with bare messages.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { document, eventually, importEnded, longImport, startServer } from "./support.mjs";

const { api, socketUrl, token, headers } = await startServer();

test("a query and a mutation", () =>
  withClient(async (client) => {
    const users = await all(client, { query: document("users") + document("mapping"), variables: { first: 3 } });
    assert.equal(users.length, 1);
    assert.equal(users[0].errors, undefined);
    assert.equal(users[0].data.users.nodes.length, 3);

    const input = { name: "Made over a websocket" };
    const [made] = await all(client, { query: document("create-team"), variables: { input } });
    assert.deepEqual(made.data.createTeam.userErrors, []);
    assert.equal(made.data.createTeam.team.path, input.name);
    const [again] = await all(client, { query: document("create-team"), variables: { input } });
    assert.equal(again.data.createTeam.userErrors[0].code, "ALREADY_EXISTS");
  }));

test("importProgress goes on to the import's end", () =>
  withClient(async (client) => {
    const id = await longImport(api, "watched");
    const steps = (await all(client, { query: document("import-progress"), variables: { id } })).map(({ data }) => data.importProgress);
    assert.ok(steps.length > 1, "there was something to watch");
    const counts = steps.map(({ processedRows }) => processedRows);
    assert.deepEqual(counts, counts.toSorted((one, other) => one - other), "it never goes back");
    assert.deepEqual(steps.at(-1), { id, status: "COMPLETED", processedRows: 2_000, totalRows: 2_000, created: 2_000, failed: 0 });
  }));

test("syncProgress goes on to the run's end", () =>
  withClient(async (client) => {
    // A Salesforce takes ids of Salesforce only: the push goes to an integration of its own.
    const made = await api(
      'mutation { createIntegration(input: { name: "Pushed", kind: OTHER }) { integration { id } userErrors { message } } }',
    );
    const input = {
      integration: { id: made.createIntegration.integration.id },
      crmUsers: Array.from({ length: 50 }, (_, at) => ({ externalId: String(700_000_000 + at), email: `pushed${at}@clients.example` })),
    };
    const [{ data }] = await all(client, { query: document("push-crm-users"), variables: { input } });
    assert.deepEqual(data.pushCrmUsers.userErrors, []);
    const { id } = data.pushCrmUsers.syncRun;
    const steps = (await all(client, { query: document("sync-progress"), variables: { id } })).map((step) => step.data.syncProgress);
    assert.equal(steps.at(-1).id, id);
    assert.equal(steps.at(-1).status, "COMPLETED");
    assert.equal(steps.at(-1).received, 50);
  }));

test("a subscription that is left ends, and the connection goes on", () =>
  withClient(async (client) => {
    const id = await longImport(api, "left");
    for await (const { data } of client.iterate({ query: document("import-progress"), variables: { id } })) {
      assert.equal(data.importProgress.id, id);
      break;
    }
    const [{ data }] = await all(client, { query: "{ viewer { role } }" });
    assert.equal(data.viewer.role, "ADMIN");
    assert.equal((await importEnded(api, id)).created, 2_000);
  }));

test("what can't be carried out is an error of that operation only", () =>
  withClient(async (client) => {
    await assert.rejects(all(client, { query: "{ nonsense }" }), (errors) => {
      assert.match(errors[0].message, /nonsense/);
      return true;
    });
    const steps = await all(client, { query: document("import-progress"), variables: { id: "nothing" } });
    assert.deepEqual(steps.map(({ errors }) => errors?.[0].extensions.code), ["NOT_FOUND"]);
    const [{ data }] = await all(client, { query: "{ viewer { role } }" });
    assert.equal(data.viewer.role, "ADMIN");
  }));

for (const [what, connectionParams] of [
  ["a bad token", { Authorization: "Bearer cpt_nonsense" }],
  ["no token", undefined],
]) {
  test(`the client is told 4403 for ${what}`, async () => {
    const client = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams });
    await assert.rejects(all(client, { query: "{ viewer { role } }" }), (closed) => {
      assert.equal(closed.code, 4403);
      return true;
    });
    await client.dispose();
  });
}

const query = { id: "1", type: "subscribe", payload: { query: "{ viewer { role } }" } };

for (const [what, code, messages, protocol] of [
  ["subscribe before the acknowledgement", 4401, () => [query]],
  ["bad JSON", 4400, () => ["{"]],
  ["JSON that is no message", 4400, () => ["[]"]],
  ["a message without a type", 4400, () => [{}]],
  ["an unknown message type", 4400, () => [init(), { type: "nonsense" }]],
  ["subscribe without an id", 4400, () => [init(), { ...query, id: undefined }]],
  ["subscribe without a payload", 4400, () => [init(), { ...query, payload: undefined }]],
  ["a query that is missing", 4400, () => [init(), { ...query, payload: { variables: {} } }]],
  ["the id of a live operation again", 4409, async () => [init(), ...Array(2).fill(await watch())]],
  ["connection_init again", 4429, () => [init(), init()]],
  ["connection_init without a token", 4403, () => [{ type: "connection_init" }]],
  ["connection_init with a bad token", 4403, () => [init("cpt_nonsense")]],
  ["no connection_init", 4408, () => []],
  ["no protocol", 4406, () => [], []],
]) {
  test(`${what} is closed with ${code}`, async () => {
    const toSend = await messages();
    const socket = open(protocol);
    const closed = once(socket, "close");
    await once(socket, "open");
    for (const message of toSend) socket.send(typeof message === "string" ? message : JSON.stringify(message));
    const [got, reason] = await closed;
    assert.equal(got, code, String(reason));
    assert.ok(reason.length > 0, "with a reason");
  });
}

test("a client that goes is answered with the code that it goes with", async () => {
  const socket = open();
  await once(socket, "open");
  socket.close(1000, "Normal Closure");
  const [code] = await once(socket, "close");
  assert.equal(code, 1000);
});

test("an invalid document is an `error`, and its id can be used again", async () => {
  const socket = open();
  const heard = [];
  socket.on("message", (message) => heard.push(JSON.parse(message)));
  await once(socket, "open");
  socket.send(JSON.stringify(init()));
  await eventually(() => assert.equal(heard.at(-1)?.type, "connection_ack"));
  socket.send(JSON.stringify({ ...query, payload: { query: "{ nonsense }" } }));
  await eventually(() => assert.equal(heard.at(-1).type, "error"));
  assert.ok(heard.at(-1).payload[0].message);
  socket.send(JSON.stringify(query));
  await eventually(() => assert.equal(heard.at(-1).type, "complete"));
  const sent = heard.map(({ id, type }) => [id, type]);
  assert.deepEqual(sent, [[undefined, "connection_ack"], ["1", "error"], ["1", "next"], ["1", "complete"]]);
  socket.send(JSON.stringify({ type: "ping" }));
  await eventually(() => assert.equal(heard.at(-1).type, "pong"));
  socket.close();
});

async function withClient(use) {
  const client = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: headers });
  try {
    await use(client);
  } finally {
    await client.dispose();
  }
}

/** All that an operation gives. */
async function all(client, operation) {
  const results = [];
  for await (const result of client.iterate(operation)) results.push(result);
  return results;
}

function init(secret = token) {
  return { type: "connection_init", payload: { Authorization: `Bearer ${secret}` } };
}

/** A subscription that lives for a while. */
async function watch() {
  const id = await longImport(api, "twice");
  return { id: "1", type: "subscribe", payload: { query: document("import-progress"), variables: { id } } };
}

function open(protocol = "graphql-transport-ws") {
  return new WebSocket(socketUrl, protocol);
}
