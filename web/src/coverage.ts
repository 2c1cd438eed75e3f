// How many users stand how towards each integration, as a table with one row an integration.
import { errorText, query } from "./api";
import { create, element, sentenceCase } from "./dom";

export interface Integration {
  id: string;
  name: string;
  kind: string;
  coverage: {
    users: number;
    mapped: number;
    mappedAutomatically: number;
    mappedManually: number;
    withWarnings: number;
    byState: { state: string; users: number }[];
  };
}

const COVERAGE = `
  query Coverage {
    integrations {
      id
      name
      kind
      coverage {
        users
        mapped
        mappedAutomatically
        mappedManually
        withWarnings
        byState { state users }
      }
    }
  }`;

/** Loads the table anew, and gives the integrations that it shows. */
export async function showCoverage(): Promise<Integration[]> {
  const place = element("coverage", HTMLElement);
  element("coverage-section", HTMLElement).hidden = false;
  try {
    const { integrations } = await query<{ integrations: Integration[] }>(COVERAGE);
    place.replaceChildren(
      integrations.length > 0
        ? create("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "coverage-title" }, table(integrations))
        : create("p", {}, "There is no integration yet. Make one in GraphiQL with the mutation ", create("code", {}, "createIntegration"), "."),
    );
    return integrations;
  } catch (error) {
    place.replaceChildren(create("p", { class: "message error" }, errorText(error)));
    return [];
  }
}

export function clearCoverage(): void {
  element("coverage-section", HTMLElement).hidden = true;
  element("coverage", HTMLElement).replaceChildren();
}

function table(integrations: Integration[]): HTMLTableElement {
  // The states are the server's, in its order: one that it learns later gets its column by itself.
  const states = [...new Set(integrations.flatMap((i) => i.coverage.byState.map((count) => count.state)))].filter(
    (state) => state !== "MAPPED",
  );
  const headings = ["Integration", "Users", "Mapped", "Automatically", "By hand", "With warnings", ...states.map(sentenceCase)];
  const rows = integrations.map(({ name, kind, coverage }) => {
    const share = coverage.users > 0 ? ` (${Math.floor((100 * coverage.mapped) / coverage.users)} %)` : "";
    const cells = [
      coverage.users.toLocaleString(),
      coverage.mapped.toLocaleString() + share,
      coverage.mappedAutomatically.toLocaleString(),
      coverage.mappedManually.toLocaleString(),
      coverage.withWarnings.toLocaleString(),
      ...states.map((state) => (coverage.byState.find((count) => count.state === state)?.users ?? 0).toLocaleString()),
    ];
    return create(
      "tr",
      {},
      create("th", { scope: "row" }, name, " ", create("small", {}, sentenceCase(kind))),
      ...cells.map((cell) => create("td", {}, cell)),
    );
  });
  return create(
    "table",
    {},
    create("thead", {}, create("tr", {}, ...headings.map((heading) => create("th", { scope: "col" }, heading)))),
    create("tbody", {}, ...rows),
  );
}
