// Importing a CSV file: the upload, then the job until it ends, then what became of the rows.
import { errorText, query, upload } from "./api";
import type { Integration } from "./coverage";
import { create, element, sentenceCase } from "./dom";

type Kind = "USERS" | "MAPPINGS" | "CRM_USERS";

interface Job {
  id: string;
  status: string;
  fileName: string | null;
  totalRows: number | null;
  processedRows: number;
  created: number;
  updated: number;
  unchanged: number;
  deleted: number;
  skipped: number;
  failed: number;
  progress: number;
  logUrl: string | null;
  error: { code: string; message: string } | null;
  rows: { nodes: { line: number; errors: { code: string; message: string }[] }[] };
}
interface Payload {
  importJob: Job | null;
  userErrors: { code: string; message: string }[];
}

const JOB = `
  id status fileName totalRows processedRows created updated unchanged deleted skipped failed progress logUrl
  error { code message }
  rows(first: 5, outcome: [FAILED]) { nodes { line errors { code message } } }`;

const payload = `{ importJob { ${JOB} } userErrors { code message } }`;
const MUTATIONS: Record<Kind, string> = {
  USERS: `mutation Import($input: ImportUsersInput!) { payload: importUsers(input: $input) ${payload} }`,
  MAPPINGS: `mutation Import($input: ImportMappingsInput!) { payload: importMappings(input: $input) ${payload} }`,
  CRM_USERS: `mutation Import($input: ImportCrmUsersInput!) { payload: importCrmUsers(input: $input) ${payload} }`,
};
const APPLY = `mutation Apply($input: IdInput!) { payload: applyImport(input: $input) ${payload} }`;
const POLL = `query Job($id: ID!) { importJob(id: $id) { ${JOB} } }`;

const COUNTS = ["created", "updated", "unchanged", "deleted", "skipped", "failed"] as const;

/** Wires up the form; `onChanged` runs when an import has ended. Gives the function that opens the form. */
export function startImport(onChanged: () => void): (integrations: Integration[]) => void {
  const form = element("import", HTMLFormElement);
  const kind = element("import-kind", HTMLSelectElement);
  const integrationField = element("import-integration-field", HTMLElement);
  const integration = element("import-integration", HTMLSelectElement);
  const file = element("import-file", HTMLInputElement);
  const plan = element("import-plan", HTMLInputElement);
  const button = form.querySelector("button") as HTMLButtonElement;

  // Users belong to the organisation, not to one of its integrations.
  kind.addEventListener("change", () => (integrationField.hidden = kind.value === "USERS"));

  async function run(start: () => Promise<{ payload: Payload }>): Promise<void> {
    button.disabled = true;
    try {
      const { payload } = await start();
      if (!payload.importJob) throw new Error(payload.userErrors.map((error) => error.message).join(" "));
      const job = await untilEnded(payload.importJob);
      showResult(job, () => run(() => query(APPLY, { input: { id: job.id } })));
      onChanged();
    } catch (error) {
      show(create("p", { class: "message error" }, errorText(error)));
    } finally {
      button.disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [chosen] = file.files ?? [];
    if (!chosen) return;
    const what = kind.value as Kind;
    if (what !== "USERS" && !integration.value) {
      show(create("p", { class: "message error" }, "There is no integration to import into yet."));
      return;
    }
    show(create("p", {}, `Uploading ${chosen.name} …`));
    const input = {
      ...(what === "USERS" ? {} : { integration: { id: integration.value } }),
      source: { file: null },
      mode: plan.checked ? "PLAN" : "APPLY",
    };
    void run(() => upload(MUTATIONS[what], { input }, "variables.input.source.file", chosen));
  });

  return (integrations) => {
    integration.replaceChildren(...integrations.map(({ id, name }) => create("option", { value: id }, name)));
    element("import-section", HTMLElement).hidden = false;
  };
}

export function clearImport(): void {
  element("import-section", HTMLElement).hidden = true;
  show();
}

async function untilEnded(job: Job): Promise<Job> {
  // Quick at first, since most files are small; then once a second, which is enough to watch a large one.
  for (let pause = 100; job.status === "QUEUED" || job.status === "RUNNING"; pause = Math.min(pause * 1.5, 1000)) {
    showProgress(job);
    await new Promise((resolve) => setTimeout(resolve, pause));
    const { importJob } = await query<{ importJob: Job | null }>(POLL, { id: job.id });
    if (!importJob) throw new Error("The import is gone.");
    job = importJob;
  }
  return job;
}

function show(...children: Node[]): void {
  element("import-result", HTMLElement).replaceChildren(...children);
}

function showProgress(job: Job): void {
  const of = job.totalRows === null ? "" : ` of ${job.totalRows.toLocaleString()}`;
  show(
    create("p", {}, `${sentenceCase(job.status)}: ${job.processedRows.toLocaleString()}${of} rows`),
    create("progress", { value: String(job.progress), max: "1", "aria-label": "Progress of the import" }),
  );
}

function showResult(job: Job, apply: () => void): void {
  const planned = job.status === "PLANNED";
  const title = planned ? "checked, nothing changed. Applying it would give:" : sentenceCase(job.status);
  const children: Node[] = [create("h3", {}, job.fileName ? `${job.fileName}: ${title}` : title)];
  if (job.error) children.push(create("p", { class: "message error" }, job.error.message));
  children.push(
    create(
      "p",
      { id: "import-counts" },
      COUNTS.filter((count) => job[count] > 0 || count === "created" || count === "failed")
        .map((count) => `${job[count].toLocaleString()} ${count}`)
        .join(", "),
    ),
  );
  const failures = job.rows.nodes.flatMap(({ line, errors }) =>
    errors.map(({ code, message }) => create("li", {}, `Line ${line}: ${message} `, create("code", {}, code))),
  );
  if (failures.length > 0) children.push(create("ul", {}, ...failures));
  if (job.logUrl) {
    children.push(
      create(
        "p",
        {},
        create("a", { id: "import-log", href: job.logUrl, download: "" }, "Download the log"),
        " (CSV): every row that failed, and why. Mend it there and import it again.",
      ),
    );
  }
  if (planned) {
    const button = create("button", { type: "button" }, "Apply it now");
    button.addEventListener("click", apply, { once: true });
    children.push(button);
  }
  show(...children);
}
