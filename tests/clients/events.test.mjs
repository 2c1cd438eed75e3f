// Operations as server-sent events, with the npm package `graphql-sse`: a connection an operation.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "graphql-sse";
import { document, importEnded, longImport, startServer } from "./support.mjs";

const { api, url, headers } = await startServer();
const client = createClient({ url, headers, singleConnection: false, retryAttempts: 0 });

test("a query", async () => {
  const results = await all({ query: document("users") + document("mapping"), variables: { first: 3 } });
  assert.equal(results.length, 1);
  assert.equal(results[0].errors, undefined);
  assert.equal(results[0].data.users.nodes.length, 3);
});

test("a mutation", async () => {
  const [{ data }] = await all({ query: document("create-team"), variables: { input: { name: "Made by an event" } } });
  assert.deepEqual(data.createTeam.userErrors, []);
});

test("a subscription goes on to its end", async () => {
  const id = await longImport(api, "watched");
  const steps = (await all({ query: document("import-progress"), variables: { id } })).map(({ data }) => data.importProgress);
  assert.ok(steps.length > 1, "there was something to watch");
  assert.deepEqual(steps.at(-1), { id, status: "COMPLETED", processedRows: 2_000, totalRows: 2_000, created: 2_000, failed: 0 });
});

test("a subscription that is left ends, and the import goes on", async () => {
  const id = await longImport(api, "left");
  const steps = [];
  for await (const { data } of client.iterate({ query: document("import-progress"), variables: { id } })) {
    steps.push(data.importProgress.id);
    break;
  }
  assert.deepEqual(steps, [id]);
  assert.equal((await importEnded(api, id)).created, 2_000);
});

test("an invalid document is told as what it is", async () => {
  const [{ data, errors }] = await all({ query: "{ nonsense }" });
  assert.equal(data ?? null, null);
  assert.match(errors[0].message, /nonsense/);
});

test("without a token the client is told 401", async () => {
  const stranger = createClient({ url, singleConnection: false, retryAttempts: 0 });
  await assert.rejects(all({ query: "{ viewer { role } }" }, stranger), (error) => {
    assert.equal(error.response.status, 401);
    return true;
  });
});

async function all(operation, by = client) {
  const results = [];
  for await (const result of by.iterate(operation)) results.push(result);
  return results;
}
