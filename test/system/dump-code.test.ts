/** `--dump-code`: what is written, by every engine. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { DIST } from "../../scripts/repository.ts";
import { isStandIn, OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith } from "../harness/requirements.ts";

const missingGuests = existsSync(join(DIST, "guests/primes"))
  ? undefined
  : "the image was built without a C compiler (Debian: apt-get install gcc musl-tools, then npm run build)";
const notStandIn = isStandIn ? "OSV_VM_COMMAND stands in for osv-vm" : undefined;

describeWith([missingGuests, notStandIn], "--dump-code", () => {
  const directory = mkdtempSync(join(tmpdir(), "osv-vm-dump-"));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const dump = async (engine: string) => {
    const options = ["--engine", engine, "--dump-code", join(directory, "code")];
    const { stdout, status } = await runProcess([...OSV_VM, "run", ...options, "primes", "100000", "1"], {
      timeout: 120_000,
    });
    expect(stdout.toString()).toBe("9592 primes up to 100000\n");
    expect(status).toBe(0);
    const index = readFileSync(join(directory, "code/index.txt"), "utf8").trimEnd().split("\n").slice(1);
    const files = index.map((line) => line.split("\t")[0]);
    for (const file of files) expect(existsSync(join(directory, "code", file)), file).toBe(true);
    const read = (file: string) => readFileSync(join(directory, "code", file), "utf8");
    return { files, read, all: readdirSync(join(directory, "code")) };
  };

  it("writes the JavaScript of every block", async () => {
    const { files, read } = await dump("js");
    expect(files.length).toBeGreaterThan(100);
    for (const file of files) expect(read(file)).toContain("return function block_");
  });

  it("writes the JIT's modules, and beside each region its guest code and its WebAssembly", async () => {
    const { files, read, all } = await dump("jit");
    expect(all).toContain("module-0001.wasm");
    expect(files.length).toBeGreaterThan(1);
    for (const file of files) {
      const address = file.split(".")[0];
      expect(read(file)).toMatch(new RegExp(`^region_${address} in module-\\d+\\.wasm`));
      expect(read(file)).toMatch(new RegExp(`^ *${address}:\t[0-9a-f ]+\t\\w+`, "m"));
      expect(read(file)).toContain(`(func $region_${address} (param i32 i32 i32) (result i32)`);
    }
  });

  it("writes the interpreter, and the records of every trace by the names of their handlers", async () => {
    const { files, read, all } = await dump("interp");
    expect(all).toContain("interp-0.wasm");
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((file) => !/^ {6}[a-z]\w*\.\d\d\./m.test(read(file))).length).toBeLessThan(
      files.length / 10,
    );
  });
});
