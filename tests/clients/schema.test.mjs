// Tools that read schema.graphql: the code generators, a linter, and the comparison with the released schema.
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { ESLint } from "eslint";
import { buildSchema } from "graphql";
import { HERE, INTEGRATION, SCHEMA, program, run, startServer } from "./support.mjs";

const sdl = await readFile(SCHEMA, "utf8");
const schema = buildSchema(sdl);

test("GraphQL Code Generator makes types that a program can be written with", async () => {
  await rm(join(HERE, "generated"), { recursive: true, force: true });
  await run(program("graphql-codegen"), ["--config", "codegen.yml"]);
  await run(program("tsc"), ["--project", "tsconfig.json"]);
});

test("Relay's compiler takes a schema, connections and refetchable fragments, and the server what it makes of them", async () => {
  const folder = join(HERE, "relay/__generated__");
  await rm(folder, { recursive: true, force: true });
  await run(program("relay-compiler"), ["relay.config.json"]);
  const { api } = await startServer();
  const compiled = async (name) => (await import(pathToFileURL(join(folder, `${name}.graphql.js`)))).default.params.text;

  const first = await api(await compiled("PeopleQuery"), { first: 2, integration: INTEGRATION });
  assert.equal(first.users.edges.length, 2);
  const { hasNextPage, endCursor } = first.users.pageInfo;
  assert.equal(hasNextPage, true);
  const more = await api(await compiled("PeoplePaginationQuery"), { first: 2, after: endCursor, integration: INTEGRATION });
  const emails = [...first.users.edges, ...more.users.edges].map(({ node }) => node.email);
  assert.equal(emails.length, 4);
  assert.deepEqual(emails, [...new Set(emails)].toSorted(), "the second page goes on where the first ended");

  const { node } = first.users.edges[0];
  const again = await api(await compiled("PeoplePersonQuery"), { id: node.id, historyFirst: 2, integration: INTEGRATION });
  assert.equal(again.node.__typename, "User");
  assert.equal(again.node.id, node.id);
  assert.deepEqual(again.node.link, node.link);
});

test("GraphQL ESLint has nothing to say of the schema", async () => {
  const eslint = new ESLint({ cwd: HERE, overrideConfigFile: join(HERE, "eslint.config.mjs") });
  const [{ messages }] = await eslint.lintText(sdl, { filePath: join(HERE, "schema.graphql") });
  assert.deepEqual(messages.map(({ line, ruleId, message }) => `${line} ${ruleId}: ${message}`), []);
});

test("what was written for the released schema still works", async () => {
  const released = buildSchema(await readFile(join(HERE, "released.graphql"), "utf8"));
  const changes = await diff(released, schema);
  const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
  assert.deepEqual(breaking.map(({ path, message }) => `${path}: ${message}`), []);
});

test("a change that breaks clients is noticed", async () => {
  const changed = buildSchema(sdl.replace("type Link {", "type Renamed {").replaceAll(": Link!", ": Renamed!"));
  const changes = await diff(schema, changed);
  assert.ok(changes.some(({ criticality }) => criticality.level === CriticalityLevel.Breaking));
});
