// Style sheets are imported for esbuild, which bundles them beside the script; there is nothing in them to type.
declare module "*.css";
