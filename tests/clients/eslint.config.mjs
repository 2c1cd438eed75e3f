// The rules for a schema that GraphQL ESLint recommends, and those that Relay's server specification comes to.
import plugin from "@graphql-eslint/eslint-plugin";

export default [
  {
    files: ["**/*.graphql"],
    languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema: "../../schema.graphql" } } },
    plugins: { "@graphql-eslint": plugin },
    rules: {
      ...plugin.configs["flat/schema-recommended"].rules,
      ...plugin.configs["flat/schema-relay"].rules,
      // Values such as a page, a payload, a count or an error are nobody: they have no id.
      "@graphql-eslint/strict-id-in-types": "off",
      "@graphql-eslint/relay-edge-types": [
        "error",
        {
          // An import's rows and a sync run's changes are listed page by page, but can't be asked for by an id.
          shouldImplementNode: false,
          // Short lists, and the `nodes` of a connection, have no edges.
          listTypeCanWrapOnlyEdgeType: false,
        },
      ],
    },
  },
];
