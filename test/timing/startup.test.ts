/** How long starting takes. Runs when no other test does, which would be measured too. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { DIST } from "../../scripts/repository.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith } from "../harness/requirements.ts";

const missingGuests = existsSync(join(DIST, "guests/hello"))
  ? undefined
  : "the image was built without a C compiler (Debian: apt-get install gcc musl-tools, then npm run build)";

const ROUNDS = 10;
const LIMIT_MS = 250;
/** Where Node itself takes this long, to start and to end, it sets the measure: our own part is as much again. */
const SLOW_NODE_MS = 130;
const TIMES_NODE = 2.5;

/** The shortest of several runs. */
async function shortest(command: string[]): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Node reads all the certificates of this file at every start: 40 ms that say nothing about osv-vm.
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    const { milliseconds, status } = await runProcess(command, { env: env as Record<string, string> });
    expect(status).toBe(0);
    times.push(milliseconds);
  }
  return Math.min(...times);
}

describeWith([missingGuests], "node osv-vm run hello", () => {
  it("takes less than 250 ms from process start to exit where Node takes up to 130", async () => {
    const node = await shortest([process.execPath, "-e", "0"]);
    const hello = await shortest([...OSV_VM, "run", "hello"]);
    console.log(`run hello: ${hello.toFixed(0)} ms, Node itself ${node.toFixed(0)} ms`);
    expect(hello).toBeLessThan(node <= SLOW_NODE_MS ? LIMIT_MS : TIMES_NODE * node);
  });

  it("needs less than 80 MiB", async () => {
    const { stderr } = await runProcess([...OSV_VM, "run", "--stats", "hello"]);
    const peak = /^peak memory +(\d+) MiB$/m.exec(stderr.toString());
    expect(Number(peak?.[1])).toBeLessThan(80);
  });
});
