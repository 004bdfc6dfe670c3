// How the page is built: one script, one style sheet, fixed names, no clock and no path in them.
import { copyFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { cut } from "./uplot.ts";

const here = dirname(fileURLToPath(import.meta.url));
const page = resolve(here, "../src/gradtape/viewer/page");

export default defineConfig({
  root: here,
  resolve: { alias: { "d3-array": resolve(here, "src/draw/d3-array.ts") } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: process.env.PAGE_OUT ?? page,
    emptyOutDir: false,
    target: "es2022",
    sourcemap: false,
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
    lib: {
      entry: resolve(here, "src/main.tsx"),
      name: "gradtape",
      formats: ["iife"],
      fileName: () => "app.js",
      cssFileName: "app",
    },
  },
  // A library build leaves process.env to its user; a browser has none.
  define: { "process.env.NODE_ENV": '"production"' },
  plugins: [
    {
      name: "cut-uplot",
      transform: (code, id) => (id.endsWith("uPlot.esm.js") ? cut(code) : null),
    },
    {
      name: "copy-index",
      closeBundle() {
        copyFileSync(resolve(here, "page.html"), resolve(process.env.PAGE_OUT ?? page, "index.html"));
      },
    },
  ],
});
