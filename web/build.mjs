// Builds the pages into dist/: the two documents, and under dist/assets/ all they load. The server embeds that folder.
import { cp, mkdir, rm } from "node:fs/promises";
import { build } from "esbuild";

process.chdir(import.meta.dirname ?? new URL(".", import.meta.url).pathname);
// A file that is no longer built must not be served from an old folder.
await rm("dist", { recursive: true, force: true });
await mkdir("dist/assets", { recursive: true });

await build({
  entryPoints: ["src/index.ts", "src/graphiql.tsx"],
  outdir: "dist/assets",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  loader: { ".svg": "file", ".woff": "file", ".woff2": "file", ".ttf": "file" },
  publicPath: "/assets",
  define: { "process.env.NODE_ENV": '"production"' },
  // The licences of what is bundled go with it.
  legalComments: "eof",
  logLevel: "warning",
});

await cp("static/icon.svg", "dist/assets/icon.svg");
// The documents come last: where dist/index.html is, the rest is there too, and the Makefile compares its age.
await cp("static/graphiql.html", "dist/graphiql.html");
await cp("static/index.html", "dist/index.html");
