// A program that uses the generated types, to be checked and not to be run. Where an error is expected, none is an error.
import { Client, fetchExchange } from "@urql/core";
import * as documents from "./generated/graphql.ts";

const client = new Client({ url: "/graphql", exchanges: [fetchExchange], preferGetMethod: false });

export async function emails(after: string | null): Promise<string[]> {
  const { data } = await client.query(documents.UsersDocument, { first: 50, after, filter: { status: ["ACTIVE"] } });
  return data?.users.nodes.map((user) => `${user.email} ${user.team?.path ?? ""}`) ?? [];
}

export async function mapped(email: string, externalId: string): Promise<string[]> {
  const input = { user: { email }, integration: { name: "Salesforce" }, crmUser: { externalId } };
  const { data } = await client.mutation(documents.SetMappingDocument, { input });
  return data?.setMapping.userErrors.map(({ code, message }) => `${code satisfies documents.ErrorCode}: ${message}`) ?? [];
}

export async function imported(file: File): Promise<string | undefined> {
  const { data } = await client.mutation(documents.ImportUsersDocument, { file });
  return data?.importUsers.importJob?.id;
}

export async function what(id: string): Promise<string | undefined> {
  const { data } = await client.query(documents.AnythingDocument, { id });
  if (data?.node?.__typename === "User") return data.node.email;
  // @ts-expect-error What is not a user has no email.
  return data?.node?.email;
}

export function mistakes(): void {
  // @ts-expect-error A variable that is needed is missing.
  void client.query(documents.UsersDocument, {});
  // @ts-expect-error No user has such a status.
  void client.query(documents.UsersDocument, { first: 1, filter: { status: ["GONE"] } });
  // @ts-expect-error A reference is by id or by email, not by both.
  void client.query(documents.LinkDocument, { user: { id: "1", email: "a@b.example" }, integration: { name: "Salesforce" } });
  // @ts-expect-error A file is not a text.
  void client.mutation(documents.ImportUsersDocument, { file: "users.csv" });
}
