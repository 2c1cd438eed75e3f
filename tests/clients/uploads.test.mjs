// Files that clients send: Apollo Client with `apollo-upload-client`, urql and curl; and forms that are not well made.
import assert from "node:assert/strict";
import { writeFile, mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ApolloClient, InMemoryCache, gql } from "@apollo/client";
import { Client, fetchExchange } from "@urql/core";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import { INTEGRATION, document, importEnded, mappingsFile, run, startServer, usersFile } from "./support.mjs";

const { api, url, headers } = await startServer();

const apollo = new ApolloClient({ cache: new InMemoryCache(), link: new UploadHttpLink({ uri: url, headers }) });
const urql = new Client({ url, exchanges: [fetchExchange], fetchOptions: { headers }, preferGetMethod: false });

/** What each client gives for a document, its variables and the file that is one of them. */
const clients = {
  "Apollo Client": (query, variables) => apollo.mutate({ mutation: gql(query), variables }).then(({ data }) => data),
  urql: async (query, variables) => {
    const { data, error } = await urql.mutation(query, variables).toPromise();
    assert.equal(error, undefined);
    return data;
  },
  curl: async (query, { file, ...variables }) => {
    const folder = await mkdtemp(join(tmpdir(), "counterpart-curl-"));
    try {
      const path = join(folder, file.name);
      await writeFile(path, Buffer.from(await file.arrayBuffer()));
      return JSON.parse(
        await run("curl", [
          ...["--silent", "--show-error", "--fail", url, "--header", `Authorization: ${headers.Authorization}`],
          ...["--form-string", `operations=${JSON.stringify({ query, variables: { ...variables, file: null } })}`],
          ...["--form-string", 'map={"0":["variables.file"]}', "--form", `0=@${path};type=text/csv`],
        ]),
      ).data;
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

for (const [name, send] of Object.entries(clients)) {
  test(`${name} imports users`, async () => {
    const file = new File([usersFile(name.replace(/\W/g, ""), 3)], "new people.csv", { type: "text/csv" });
    const { importUsers } = await send(document("import-users"), { file });
    assert.deepEqual(importUsers.userErrors, []);
    const { status, ...job } = await importEnded(api, importUsers.importJob.id);
    assert.deepEqual(job, { fileName: "new people.csv", totalRows: 3, created: 3, failed: 0 });
  });

  test(`${name} imports mappings, of which one fails`, async () => {
    const { csv, email, externalId } = await mappingsFile(api);
    const file = new File([csv], "mappings.csv", { type: "text/csv" });
    const { importMappings } = await send(document("import-mappings"), { integration: INTEGRATION, file });
    assert.deepEqual(importMappings.userErrors, []);
    const { status, ...job } = await importEnded(api, importMappings.importJob.id);
    assert.deepEqual(job, { fileName: "mappings.csv", totalRows: 2, created: 1, failed: 1 });
    const { user } = await api("query ($user: UserRef!) { user(by: $user) { mappings { source crmUser { externalId } } } }", { user: { email } });
    assert.deepEqual(user.mappings, [{ source: "MANUAL", crmUser: { externalId } }]);
  });

  test(`${name} is told what is wrong with a file`, async () => {
    const file = new File(["PK\u0003\u0004 and what else an .xlsx is made of\0"], "people.xlsx");
    const { importUsers } = await send(document("import-users"), { file });
    assert.equal(importUsers.importJob, null);
    assert.deepEqual(importUsers.userErrors.map(({ code }) => code), ["NOT_CSV"]);
  });
}

test("the clients ask for what needs no file as well", async () => {
  const query = "query ($first: Int!) { users(first: $first) { nodes { email } } }";
  const asked = await apollo.query({ query: gql(query), variables: { first: 2 } });
  assert.equal(asked.data.users.nodes.length, 2);
  const byUrql = await urql.query(query, { first: 2 }).toPromise();
  assert.deepEqual(byUrql.data.users.nodes.map(({ email }) => email), asked.data.users.nodes.map(({ email }) => email));
});

const operations = JSON.stringify({ query: document("import-users"), variables: { file: null } });
const csv = usersFile("form", 1);

for (const [what, parts, cut = (body) => body] of [
  ["without parts", []],
  ["without operations", [["map", '{"0":["variables.file"]}'], ["0", csv]]],
  ["without a map", [["operations", operations], ["0", csv]]],
  ["with a map that is no JSON", [["operations", operations], ["map", "{"], ["0", csv]]],
  ["with a map that is a list", [["operations", operations], ["map", "[]"], ["0", csv]]],
  ["with a map to what is no variable", [["operations", operations], ["map", '{"0":["variables.else"]}'], ["0", csv]]],
  ["with operations that are no JSON", [["operations", "{"], ["map", '{"0":["variables.file"]}'], ["0", csv]]],
  ["with a file that the map does not name", [["operations", operations], ["map", "{}"], ["0", csv]]],
  ["without the file that the map names", [["operations", operations], ["map", '{"0":["variables.file"]}']]],
  ["with the file before the map", [["operations", operations], ["0", csv], ["map", '{"0":["variables.file"]}']]],
  ["that has no end", [["operations", operations], ["map", '{"0":["variables.file"]}'], ["0", csv]], (body) => body.slice(0, -20)],
  ["with a variable that says it is a file", [["operations", JSON.stringify({ query: document("import-users"), variables: { file: "#__graphql_file__:0" } })], ["map", "{}"]]],
  ["larger than the socket's buffers, with a bad map", [["operations", operations], ["map", "{"], ["0", "x".repeat(8_000_000)]]],
]) {
  test(`a form ${what} is a bad request, and the connection can be used again`, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      const refused = await post(agent, cut(form(parts)), "multipart/form-data; boundary=limit");
      assert.ok(refused.status >= 400 && refused.status < 500, `${refused.status}: ${refused.text}`);
      assert.ok(JSON.parse(refused.text).errors[0].message);
      const next = await post(agent, JSON.stringify({ query: "{ viewer { role } }" }), "application/json");
      assert.equal(next.reused, true, "on the same connection");
      assert.deepEqual(JSON.parse(next.text), { data: { viewer: { role: "ADMIN" } } });
    } finally {
      agent.destroy();
    }
  });
}

function form(parts) {
  const lines = parts.flatMap(([name, text]) => [
    "--limit",
    `Content-Disposition: form-data; name="${name}"${name === "0" ? '; filename="users.csv"' : ""}`,
    "",
    text,
  ]);
  return [...lines, "--limit--", ""].join("\r\n");
}

function post(agent, body, type) {
  return new Promise((resolve, reject) => {
    const options = { method: "POST", agent, headers: { ...headers, "Content-Type": type, "Content-Length": Buffer.byteLength(body) } };
    const asked = request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      response.on("error", reject).on("end", () => resolve({ status: response.statusCode, text, reused: asked.reusedSocket }));
    });
    asked.on("error", reject).end(body);
  });
}
