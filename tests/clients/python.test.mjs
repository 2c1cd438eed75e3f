// Python: the tests of `gql`, each as a test of its own, and requests that Schemathesis makes up from the schema.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { HERE, run, startServer } from "./support.mjs";

const { url, token, log } = await startServer();
const folder = join(HERE, "python");
const bin = join(folder, ".venv/bin");

const names = Array.from(readFileSync(join(folder, "test_gql.py"), "utf8").matchAll(/def test_(\w+)/g), ([, name]) => name);
assert.ok(names.length > 0);

for (const name of names) {
  test(`gql: ${name.replaceAll("_", " ")}`, async () => {
    const env = { COUNTERPART_URL: url, COUNTERPART_TOKEN: token, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "1" };
    await run(join(bin, "python"), ["-m", "unittest", `test_gql.Gql.test_${name}`], env);
  });
}

test("Schemathesis finds nothing that is a server's error", async () => {
  const said = await run(join(bin, "st"), [
    ...["run", url, "--header", `Authorization: Bearer ${token}`, "--no-color"],
    ...["--phases", "fuzzing", "--checks", "not_a_server_error", "--mode", "positive", "--continue-on-failure"],
    ...["--max-examples", "10", "--seed", "1", "--generation-deterministic", "--suppress-health-check", "all"],
  ]);
  assert.match(said, /passed/, said);
  assert.doesNotMatch(log(), /panicked| ERROR /);
});
