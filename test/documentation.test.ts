/** What the documentation claims is true: generated pages are current, commands and links in the README exist. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { SYSCALL_TABLE } from "../kernel/syscalls/table.ts";
import { REPOSITORY } from "../scripts/repository.ts";
import { describeSyscalls } from "../scripts/syscall-docs.ts";

const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");
const pages = ["README.md", ...readdirSync(join(REPOSITORY, "docs")).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith(".md"),
);

describe("documentation", () => {
  it("docs/syscalls.md is what `npm run docs` writes", () => {
    expect(read("docs/syscalls.md")).toBe(describeSyscalls(SYSCALL_TABLE));
  });

  it.each(pages)("%s links to files that exist", (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link);
    const missing = links.filter((link) => !existsSync(join(REPOSITORY, dirname(page), link)));
    expect(missing).toEqual([]);
  });

  it.each(pages)("%s names only npm scripts that exist", (page) => {
    const scripts: Record<string, string> = JSON.parse(read("package.json")).scripts;
    const named = [...read(page).matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it("every folder of the repository is in the house of docs/ARCHITECTURE.md", () => {
    const house = read("docs/ARCHITECTURE.md");
    const folders = readdirSync(REPOSITORY, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map((entry) => entry.name)
      .filter((name) => !["node_modules", "dist"].includes(name));
    expect(folders.filter((name) => !house.includes(`${name}/`))).toEqual([]);
  });
});
