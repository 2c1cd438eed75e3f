// What a Relay application asks: a list that is paged through, and a person who is asked for again by id. For the compiler
// only; the tests run what it makes of it.
import { graphql } from "relay-runtime";

export const query = graphql`
  query PeopleQuery($first: Int!, $after: String, $filter: UserFilter, $integration: IntegrationRef!) {
    ...People_list @arguments(first: $first, after: $after, filter: $filter)
  }
`;

export const list = graphql`
  fragment People_list on Query
  @argumentDefinitions(first: { type: "Int!" }, after: { type: "String" }, filter: { type: "UserFilter" })
  @refetchable(queryName: "PeoplePaginationQuery") {
    users(first: $first, after: $after, filter: $filter, orderBy: { field: EMAIL }) @connection(key: "People_users") {
      edges {
        node {
          email
          ...People_person @arguments(historyFirst: 2)
        }
      }
    }
  }
`;

export const person = graphql`
  fragment People_person on User
  @argumentDefinitions(historyFirst: { type: "Int", defaultValue: 10 }, historyAfter: { type: "String" })
  @refetchable(queryName: "PeoplePersonQuery") {
    firstName
    link(integration: $integration) {
      state
    }
    mappingHistory(first: $historyFirst, after: $historyAfter) @connection(key: "People_mappingHistory") {
      edges {
        node {
          source
          crmUser {
            externalId
          }
        }
      }
    }
  }
`;

export const team = graphql`
  mutation PeopleTeamMutation($input: CreateTeamInput!, $connections: [ID!]!) {
    createTeam(input: $input) {
      team @appendNode(connections: $connections, edgeTypeName: "TeamEdge") {
        id
        path
      }
      userErrors {
        code
        message
      }
    }
  }
`;
