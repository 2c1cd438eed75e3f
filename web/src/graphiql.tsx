// GraphiQL, served from here to the last byte, so that it works on a machine without internet.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import { createClient } from "graphql-ws";
import { createRoot } from "react-dom/client";
import { authorization } from "./api";
import { element } from "./dom";
import "./graphiql.css";
import { startSession } from "./session";

const DEFAULT_QUERY = `# The teams, their members, and whom
# each member is mapped to in the CRM.
# Ctrl-Enter runs it. Hover a name to
# read what it is.
query TeamTree {
  teams(first: 5, filter: { rootsOnly: true }) {
    nodes {
      ...TeamWithMembers
      children(first: 5) {
        nodes {
          ...TeamWithMembers
          children(first: 5) {
            nodes {
              ...TeamWithMembers
            }
          }
        }
      }
    }
  }
}

fragment TeamWithMembers on Team {
  path
  members(first: 10) {
    totalCount
    nodes {
      email
      title
      mappings {
        source
        integration {
          name
        }
        crmUser {
          externalId
          email
        }
      }
    }
  }
}
`;

// Both read the token when they are used, so that signing in as somebody else needs no reload.
const fetcher = createGraphiQLFetcher({
  url: "/graphql",
  fetch: (input, init) =>
    // Whatever the editor's own headers say goes first: it lets one try another token without signing out.
    fetch(input, { ...init, headers: { ...authorization(), ...(init?.headers as Record<string, string>) } }),
  wsClient: createClient({
    url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/graphql`,
    connectionParams: authorization,
  }),
  // The server sends no @defer and no @stream.
  enableIncrementalDelivery: false,
});

const place = element("graphiql", HTMLElement);
const root = createRoot(place);
const signInFirst = <p>Sign in with an API token above: the schema is shown to signed-in users.</p>;
root.render(signInFirst);

startSession(
  // Another person may be shown another schema, and must not be shown the last one's answers: a new key starts afresh.
  (session) => root.render(<GraphiQL key={session.viewer.email} fetcher={fetcher} defaultQuery={DEFAULT_QUERY} />),
  () => root.render(signInFirst),
);
