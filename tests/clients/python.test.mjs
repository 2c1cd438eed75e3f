// Python: the tests of `gql`, each as a test of its own, and requests that Schemathesis makes up from the schema.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
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

test("Schemathesis finds nothing that is the server's fault", async () => {
  // Every run asks the same: what an earlier one found is not asked again.
  await rm(join(HERE, ".schemathesis"), { recursive: true, force: true });
  const parameters = [
    ...["run", url, "--header", `Authorization: Bearer ${token}`, "--no-color", "--continue-on-failure"],
    ...["--phases", "fuzzing", "--mode", "positive", "--checks", "not_the_servers_fault", "--suppress-health-check", "all"],
    ...["--max-examples", "10", "--generation-deterministic"],
  ];
  const said = await run(join(bin, "st"), parameters, { SCHEMATHESIS_HOOKS: "hooks", PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "1" });
  const operations = /Operations: +(\d+) selected/.exec(said)?.[1];
  assert.ok(Number(operations) > 0, said);
  assert.match(said, new RegExp(`Tested: ${operations}\\b`), said);
  assert.doesNotMatch(log(), /panicked| ERROR /);
});
