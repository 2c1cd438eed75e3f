// How the pages talk to the server: the token of this tab, and GraphQL over HTTP.

const TOKEN_KEY = "counterpart.token";

// sessionStorage, not localStorage: closing the tab signs out, and no token outlives it on a shared machine.
export const token = {
  get: (): string | null => sessionStorage.getItem(TOKEN_KEY),
  set: (value: string): void => sessionStorage.setItem(TOKEN_KEY, value),
  clear: (): void => sessionStorage.removeItem(TOKEN_KEY),
};

export function authorization(): Record<string, string> {
  const value = token.get();
  return value ? { Authorization: `Bearer ${value}` } : {};
}

/** What the server said is wrong, with its code (`UNAUTHENTICATED`, `FORBIDDEN`, …) where it gave one. */
export class ApiError extends Error {
  constructor(message: string, readonly code?: string) {
    super(message);
  }
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface GraphQlResponse<T> {
  data?: T | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

export function query<T>(document: string, variables: object = {}): Promise<T> {
  return post(JSON.stringify({ query: document, variables }), { "Content-Type": "application/json" });
}

/** The GraphQL multipart request convention: `variables` has null where `path` says the file belongs. */
export function upload<T>(document: string, variables: object, path: string, file: File): Promise<T> {
  const form = new FormData();
  form.set("operations", JSON.stringify({ query: document, variables }));
  form.set("map", JSON.stringify({ 0: [path] }));
  form.set("0", file, file.name);
  // The header can't be sent by a plain HTML form on another site: it tells the server that this is not one.
  return post(form, { "GraphQL-Require-Preflight": "1" });
}

async function post<T>(body: BodyInit, headers: Record<string, string>): Promise<T> {
  let response: Response;
  try {
    response = await fetch("/graphql", {
      method: "POST",
      headers: { Accept: "application/graphql-response+json, application/json", ...headers, ...authorization() },
      body,
    });
  } catch {
    throw new ApiError("The server can't be reached. Is it still running?");
  }
  let answer: GraphQlResponse<T>;
  try {
    answer = await response.json();
  } catch {
    throw new ApiError(`The server answered ${response.status} ${response.statusText}, and not with GraphQL.`);
  }
  const [first] = answer.errors ?? [];
  if (first) throw new ApiError(first.message, first.extensions?.code);
  if (!answer.data) throw new ApiError(`The server answered ${response.status} without data.`);
  return answer.data;
}
