/** A Go program: npm's own esbuild binary bundles and minifies real packages to the same bytes as on the host. */

import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { REPOSITORY } from "../../scripts/repository.ts";
import { isFull } from "../harness/full.ts";
import { type GuestOptions, runOnHost, runOnOsvVm } from "../harness/osv-vm.ts";
import { describeWith } from "../harness/requirements.ts";
import { addToRoot, createRoot, missingBusybox, removeRoot } from "../harness/root.ts";

const binary = join(REPOSITORY, "node_modules/@esbuild/linux-x64/bin/esbuild");
const missingBinary = existsSync(binary)
  ? undefined
  : "npm installed no @esbuild/linux-x64 (another platform?)";

/** Go starts as many threads as it may use processors; more than we have must work as well. */
const THREADS = { GOMAXPROCS: "4" };

const TYPESCRIPT = `
enum Colour { Red = 1, Green }
export const name = (colour: Colour): string => \`\${Colour[colour] satisfies string}\`;
export class Square { constructor(private readonly side: number) {} get area() { return this.side ** 2; } }
`;

describeWith([missingBusybox(), missingBinary], "esbuild (Go)", () => {
  let root = "";
  const bundle = (...parameters: string[]) => ["/bin/esbuild", "--bundle", ...parameters];

  beforeAll(() => {
    root = createRoot();
    addToRoot(root, binary, "bin/esbuild");
    chmodSync(join(root, "bin/esbuild"), 0o755);
    mkdirSync(join(root, "work/node_modules"));
    const packages = ["commander", "semver", "iced-x86", "acorn", ...(isFull ? ["typescript"] : [])];
    for (const name of packages) {
      addToRoot(root, join(REPOSITORY, "node_modules", name), `work/node_modules/${name}`);
    }
  });

  afterAll(() => removeRoot(root));

  async function expectSameBytes(program: string[], options: Omit<GuestOptions, "root"> = {}) {
    const where = { root, cwd: "/work", env: THREADS, timeout: 300_000, ...options };
    const host = await runOnHost(program, where);
    expect(host.status).toBe(0);
    expect(host.stdout.length).toBeGreaterThan(100);
    const ours = await runOnOsvVm(program, where);
    expect(ours.stderr.toString()).toBe(host.stderr.toString());
    expect(ours.status).toBe(0);
    expect(ours.stdout.equals(host.stdout)).toBe(true);
  }

  it("prints its help", () => expectSameBytes(["/bin/esbuild", "--help"]));

  it("bundles commander", () =>
    expectSameBytes(bundle("--platform=node", "--log-level=warning", "node_modules/commander/index.js")));

  it("bundles and minifies semver with a source map", () =>
    expectSameBytes(
      bundle(
        "--minify",
        "--sourcemap=inline",
        "--platform=node",
        "--log-level=warning",
        "node_modules/semver/index.js",
      ),
    ));

  it("minifies iced-x86", () =>
    expectSameBytes(
      bundle("--minify", "--platform=node", "--log-level=warning", "node_modules/iced-x86/iced_x86.js"),
    ));

  it("transforms TypeScript from standard input", () =>
    expectSameBytes(["/bin/esbuild", "--loader=ts", "--minify"], {
      input: TYPESCRIPT,
    }));

  it("reports an error in a person's words, with the host's exit status", async () => {
    const program = bundle("nowhere.js");
    const host = await runOnHost(program, { root, cwd: "/work" });
    const ours = await runOnOsvVm(program, { root, cwd: "/work" });
    expect(ours.stderr.toString()).toBe(host.stderr.toString());
    expect(ours.status).toBe(host.status);
  });

  if (isFull) {
    it("bundles and minifies the TypeScript compiler", { timeout: 900_000 }, () =>
      expectSameBytes(
        bundle(
          "--minify",
          "--platform=node",
          "--log-level=error",
          "node_modules/typescript/lib/typescript.js",
        ),
        { timeout: 900_000, options: ["--memory", "2G"] },
      ),
    );
  }

  it(`does not hang in ${isFull ? 50 : 5} runs`, { timeout: 900_000 }, async () => {
    const program = bundle("--minify", "--platform=node", "node_modules/acorn/dist/acorn.js");
    const where = { root, cwd: "/work", env: THREADS, timeout: 60_000 };
    const host = await runOnHost(program, where);
    for (let run = 0; run < (isFull ? 50 : 5); run++) {
      const ours = await runOnOsvVm(program, where);
      expect(ours.status).toBe(0);
      expect(ours.stdout.equals(host.stdout)).toBe(true);
    }
  });
});
