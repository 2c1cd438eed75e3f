// GraphQL over HTTP: the audits of the npm package `graphql-http`, those of what a server MAY do included.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serverAudits } from "graphql-http";
import { startServer } from "./support.mjs";

const { url, headers } = await startServer();

const audits = serverAudits({
  url,
  // The audits' own headers stand beside the token.
  fetchFn: (address, options = {}) => fetch(address, { ...options, headers: { ...Object.fromEntries(new Headers(options.headers)), ...headers } }),
});

test("there are as many audits as ever", () => assert.equal(audits.length, 61));

for (const { id, name, fn } of audits) {
  test(`${id} ${name}`, async () => {
    const { status, reason, response } = await fn();
    assert.equal(status, "ok", `${status}: ${reason}\n${response && JSON.stringify({ status: response.status, headers: [...response.headers] })}`);
  });
}

for (const [accept, mediaType] of [
  ["application/json", "application/json"],
  ["application/graphql-response+json", "application/graphql-response+json"],
]) {
  for (const [who, authorization] of [["without a token", {}], ["with a bad token", { Authorization: "Bearer cpt_nonsense" }]]) {
    test(`${who} the answer is 401, as ${accept}`, async () => {
      const response = await fetch(url, {
        method: "POST",
        headers: { Accept: accept, "Content-Type": "application/json", ...authorization },
        body: JSON.stringify({ query: "{ viewer { email } }" }),
      });
      assert.equal(response.status, 401);
      assert.match(response.headers.get("content-type"), new RegExp(`^${mediaType.replace("+", "\\+")}`));
      assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
      const { data, errors } = await response.json();
      assert.equal(data, undefined);
      assert.equal(errors.length, 1);
      assert.equal(errors[0].extensions.code, "UNAUTHENTICATED");
    });
  }
}

for (const query of ['mutation { createTeam(input: { name: "By GET" }) { team { id } } }', 'mutation ByGet { createTeam(input: { name: "By GET" }) { team { id } } }']) {
  test(`a mutation over GET is not carried out: ${query}`, async () => {
    const response = await fetch(`${url}?${new URLSearchParams({ query })}`, { headers });
    assert.equal(response.status, 405, await response.text());
    assert.equal(response.headers.get("allow"), "POST");
  });
}
