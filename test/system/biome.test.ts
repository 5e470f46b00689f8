/** A Rust program: Biome formats and lints this repository with the same output as on the host. */

import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { unpackNpmPackage } from "../../scripts/npm-package.ts";
import { REPOSITORY } from "../../scripts/repository.ts";
import { isFull } from "../harness/full.ts";
import { runOnHost, runOnOsvVm } from "../harness/osv-vm.ts";
import { describeWith } from "../harness/requirements.ts";
import { addToRoot, createRoot, missingBusybox, removeRoot } from "../harness/root.ts";

/** The lock file pins it with the Biome that checks this repository, whose platform it is not. */
const PACKAGE = "@biomejs/cli-linux-x64-musl";
const lockFile: { packages: Record<string, { version: string; integrity: string }> } = JSON.parse(
  readFileSync(join(REPOSITORY, "package-lock.json"), "utf8"),
);
const { version, integrity } = lockFile.packages[`node_modules/${PACKAGE}`];

/** The quick run looks at these folders, the full run at all. */
const FOLDERS = ["cli", "scripts", "mmu"];

const REPORT = ["--colors=off", "--max-diagnostics=none"];

describeWith([missingBusybox()], "biome (Rust)", () => {
  let root = "";

  beforeAll(() => {
    root = createRoot();
    const folder = unpackNpmPackage(PACKAGE, version, integrity);
    addToRoot(root, join(folder, "biome"), "bin/biome");
    chmodSync(join(root, "bin/biome"), 0o755);
    mkdirSync(join(root, "repository"));
    const notSources = [".git", ".cache", "node_modules", "dist"];
    for (const name of readdirSync(REPOSITORY)) {
      if (!notSources.includes(name)) addToRoot(root, join(REPOSITORY, name), `repository/${name}`);
    }
    // The schema is in node_modules; and type inference wants the whole project, which takes minutes.
    const configuration = join(root, "repository/biome.json");
    const text = readFileSync(configuration, "utf8");
    writeFileSync(
      configuration,
      text
        .replace(/"\$schema".*\n/, "")
        .replace('"noFloatingPromises": "error"', '"noFloatingPromises": "off"'),
    );
    // Something to complain about, in every run.
    writeFileSync(join(root, "repository/cli/bad.ts"), "var x : any = 1\nexport default x==2\n");
  });

  afterAll(() => removeRoot(root));

  const withoutTime = (text: Buffer) => text.toString().replaceAll(/ in \d+(\.\d+)?(µ|m)?s/g, " in TIME");

  async function expectSame(parameters: string[], input = "") {
    const program = ["/bin/biome", ...parameters];
    const where = { root, cwd: "/repository", input, timeout: 900_000, options: ["--memory", "1G"] };
    const host = await runOnHost(program, where);
    const ours = await runOnOsvVm(program, where);
    expect(withoutTime(ours.stderr)).toBe(withoutTime(host.stderr));
    expect(withoutTime(ours.stdout)).toBe(withoutTime(host.stdout));
    expect(ours.status).toBe(host.status);
    return ours;
  }

  it("prints its version", () => expectSame(["--version"]));

  it("formats", { timeout: 900_000 }, async () => {
    const paths = isFull ? ["."] : FOLDERS;
    const ours = await expectSame(["format", ...REPORT, ...paths]);
    expect(ours.status).toBe(1);
    expect(ours.stderr.toString()).toContain("cli/bad.ts");
  });

  it("lints", { timeout: 900_000 }, async () => {
    const paths = isFull ? ["."] : FOLDERS;
    const ours = await expectSame(["lint", ...REPORT, ...paths]);
    expect(ours.status).toBe(1);
    expect(ours.stderr.toString()).toContain("noExplicitAny");
  });

  it("formats standard input", () =>
    expectSame(["format", "--stdin-file-path=x.ts", "--colors=off"], "const  a=[1,2 , 3]\nexport{a}\n"));
});
