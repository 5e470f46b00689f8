import { describe, expect, it } from "vitest";
import { rcpss, rsqrtss } from "./sse-reciprocal.ts";
import { HostFpu, hostFpuUnavailable, hostIsIntel } from "./testing/host-fpu.ts";
import { Chance } from "./testing/operands.ts";

const unavailable = hostFpuUnavailable() ?? (hostIsIntel() ? null : "the host's processor is not Intel's");
if (unavailable !== null) console.warn(`RCPPS and RSQRTPS are not compared with the host: ${unavailable}`);

/** Both ends of every piece of two binades, in four lanes; then anything at all. */
function operands(): number[] {
  const all: number[] = [];
  for (let index = 0; index < 4096; index++) {
    const start = 0x3f80_0000 + (index << 12);
    all.push(start, start + 0xfff);
  }
  const chance = new Chance(1);
  while (all.length < 60_000) all.push(chance.binary32(), Number(chance.bits(32)));
  return all;
}

describe.skipIf(unavailable !== null)("approximate reciprocals, against an Intel processor", () => {
  for (const [name, ours] of Object.entries({ rcpps: rcpss, rsqrtps: rsqrtss })) {
    it(`${name}: same bits, and no flags`, () => {
      const values = operands();
      const host = new HostFpu([{ unit: "sse", code: `${name} %%xmm1, %%xmm0` }]);
      const inputs = [];
      for (let n = 0; n < values.length; n += 4) {
        const lanes = values.slice(n, n + 4);
        const b = lanes.reduceRight((all, lane) => (all << 32n) | BigInt(lane), 0n);
        inputs.push({ operation: 0, control: 0, b });
      }
      const wrong: string[] = [];
      for (const [index, { a, status }] of host.run(inputs).entries()) {
        for (let lane = 0; lane < 4; lane++) {
          const operand = values[4 * index + lane];
          const expected = Number(BigInt.asUintN(32, a >> BigInt(32 * lane)));
          if (ours(operand) === expected && status === 0) continue;
          wrong.push(
            `${operand.toString(16)}: ${ours(operand).toString(16)}, the host ${expected.toString(16)}`,
          );
        }
      }
      expect(wrong.slice(0, 20)).toEqual([]);
    });
  }
});
