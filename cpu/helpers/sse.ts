/**
 * The exact path of SSE floating point: any rounding mode, DAZ, FTZ, unmasked exceptions, NaNs and denormals. Definitions
 * come here when the fast path does not apply (cpu/definitions/sse/float.ts).
 *
 * Argument 0 is the first source and receives the result, argument 1 the second source, argument 2 an immediate.
 */

import type { Cpu } from "../cpu.ts";
import { defineHelper, GuestException } from "../helpers.ts";
import { SseControl } from "../softfloat/control.ts";
import * as Sse from "../softfloat/sse.ts";
import * as Convert from "../softfloat/sse-convert.ts";
import { dppd, dpps } from "../softfloat/sse-dot-product.ts";
import { rcpss, rsqrtss } from "../softfloat/sse-reciprocal.ts";
import { MXCSR, Vector, X87_TAGS, X87_TOP } from "../state.ts";

const control = new SseControl();

/** Runs a computation under MXCSR: sticky flags, and #XM for unmasked exceptions (with the result kept back). */
function underMxcsr(cpu: Cpu, compute: () => void): void {
  const mxcsr = cpu.getI32(MXCSR);
  control.load(mxcsr);
  compute();
  cpu.setI32(MXCSR, mxcsr | control.raised);
  if (control.unmasked !== 0) throw new GuestException(Vector.XM);
}

/** The lanes of an argument slot: the state is little-endian, as every host with WebAssembly SIMD is. */
class Lanes {
  constructor(
    private readonly cpu: Cpu,
    private readonly slot: number,
  ) {}
  private view(): DataView {
    const bytes = this.cpu.argumentBytes(this.slot);
    return new DataView(bytes.buffer, bytes.byteOffset, 16);
  }
  u32(lane: number): number {
    return this.view().getUint32(lane * 4, true);
  }
  setU32(lane: number, value: number): void {
    this.view().setUint32(lane * 4, value, true);
  }
  u64(lane: number): bigint {
    return this.view().getBigUint64(lane * 8, true);
  }
  setU64(lane: number, value: bigint): void {
    this.view().setBigUint64(lane * 8, value, true);
  }
}

type Single = (a: number, b: number, control: SseControl, immediate: number) => number;
type Double = (a: bigint, b: bigint, control: SseControl, immediate: number) => bigint;

/** Helpers `sse.NAMEss`, `sse.NAMEps`, `sse.NAMEsd`, `sse.NAMEpd`. */
function defineLanes(name: string, single: Single, double: Double): void {
  for (const [suffix, lanes] of [
    ["ss", 1],
    ["ps", 4],
  ] as const) {
    defineHelper(`sse.${name}${suffix}`, (cpu) => {
      const [x, y] = [new Lanes(cpu, 0), new Lanes(cpu, 1)];
      const immediate = cpu.argumentI32(2);
      underMxcsr(cpu, () => {
        for (let lane = 0; lane < lanes; lane++)
          x.setU32(lane, single(x.u32(lane), y.u32(lane), control, immediate));
      });
    });
  }
  for (const [suffix, lanes] of [
    ["sd", 1],
    ["pd", 2],
  ] as const) {
    defineHelper(`sse.${name}${suffix}`, (cpu) => {
      const [x, y] = [new Lanes(cpu, 0), new Lanes(cpu, 1)];
      const immediate = cpu.argumentI32(2);
      underMxcsr(cpu, () => {
        for (let lane = 0; lane < lanes; lane++)
          x.setU64(lane, double(x.u64(lane), y.u64(lane), control, immediate));
      });
    });
  }
}
defineLanes("add", Sse.addss, Sse.addsd);
defineLanes("sub", Sse.subss, Sse.subsd);
defineLanes("mul", Sse.mulss, Sse.mulsd);
defineLanes("div", Sse.divss, Sse.divsd);
defineLanes("min", Sse.minss, Sse.minsd);
defineLanes("max", Sse.maxss, Sse.maxsd);
defineLanes(
  "sqrt",
  (_a, b, c) => Sse.sqrtss(b, c),
  (_a, b, c) => Sse.sqrtsd(b, c),
);
defineLanes(
  "cmp",
  (a, b, c, predicate) => Sse.cmpss(a, b, predicate & 7, c),
  (a, b, c, predicate) => Sse.cmpsd(a, b, predicate & 7, c),
);
defineLanes(
  "round",
  (_a, b, c, immediate) => Convert.roundss(b, immediate, c),
  (_a, b, c, immediate) => Convert.roundsd(b, immediate, c),
);

/** ADDSUBPS, HADDPS and the like: which operation on which pairs of lanes. */
type Pairing = readonly { readonly subtract: boolean; readonly from: readonly [number, number] }[];
function pairing(name: string, pairs: { single: Pairing; double: Pairing }): void {
  // Lanes 0…3 (0…1) are the first source's, the following ones the second's.
  defineHelper(`sse.${name}ps`, (cpu) => {
    const [x, y] = [new Lanes(cpu, 0), new Lanes(cpu, 1)];
    underMxcsr(cpu, () => {
      const lanes = [0, 1, 2, 3].map((lane) => x.u32(lane)).concat([0, 1, 2, 3].map((lane) => y.u32(lane)));
      pairs.single.forEach(({ subtract, from: [a, b] }, lane) => {
        x.setU32(lane, (subtract ? Sse.subss : Sse.addss)(lanes[a], lanes[b], control));
      });
    });
  });
  defineHelper(`sse.${name}pd`, (cpu) => {
    const [x, y] = [new Lanes(cpu, 0), new Lanes(cpu, 1)];
    underMxcsr(cpu, () => {
      const lanes = [x.u64(0), x.u64(1), y.u64(0), y.u64(1)];
      pairs.double.forEach(({ subtract, from: [a, b] }, lane) => {
        x.setU64(lane, (subtract ? Sse.subsd : Sse.addsd)(lanes[a], lanes[b], control));
      });
    });
  });
}
const pair = (subtract: boolean, a: number, b: number) => ({ subtract, from: [a, b] as const });
pairing("addsub", {
  single: [pair(true, 0, 4), pair(false, 1, 5), pair(true, 2, 6), pair(false, 3, 7)],
  double: [pair(true, 0, 2), pair(false, 1, 3)],
});
for (const [name, subtract] of [
  ["hadd", false],
  ["hsub", true],
] as const) {
  pairing(name, {
    single: [pair(subtract, 0, 1), pair(subtract, 2, 3), pair(subtract, 4, 5), pair(subtract, 6, 7)],
    double: [pair(subtract, 0, 1), pair(subtract, 2, 3)],
  });
}

defineHelper("sse.dpps", (cpu) => {
  const [x, y] = [new Lanes(cpu, 0), new Lanes(cpu, 1)];
  const lanes = [0, 1, 2, 3];
  underMxcsr(cpu, () => {
    const sums = dpps(
      lanes.map((lane) => x.u32(lane)),
      lanes.map((lane) => y.u32(lane)),
      cpu.argumentI32(2),
      control,
    );
    sums.forEach((sum, lane) => {
      x.setU32(lane, sum);
    });
  });
});
defineHelper("sse.dppd", (cpu) => {
  const [x, y] = [new Lanes(cpu, 0), new Lanes(cpu, 1)];
  underMxcsr(cpu, () => {
    const sums = dppd([x.u64(0), x.u64(1)], [y.u64(0), y.u64(1)], cpu.argumentI32(2), control);
    x.setU64(0, sums[0]);
    x.setU64(1, sums[1]);
  });
});

/** Ordered (COMI) and unordered comparisons: RFLAGS bits come back in result 0. */
for (const [name, single, double] of [
  ["comis", Sse.comiss, Sse.comisd],
  ["ucomis", Sse.ucomiss, Sse.ucomisd],
] as const) {
  defineHelper(`sse.${name}s`, (cpu) => {
    underMxcsr(cpu, () => {
      const flags = single(cpu.argumentI32(0) >>> 0, cpu.argumentI32(1) >>> 0, control);
      cpu.setResult(0, flags);
    });
  });
  defineHelper(`sse.${name}d`, (cpu) => {
    underMxcsr(cpu, () => cpu.setResult(0, double(cpu.argument64(0), cpu.argument64(1), control)));
  });
}

/** Approximations: they heed no mode and report nothing. Argument 0 is the source. */
for (const [name, approximate] of [
  ["rcp", rcpss],
  ["rsqrt", rsqrtss],
] as const) {
  for (const [suffix, lanes] of [
    ["ss", 1],
    ["ps", 4],
  ] as const) {
    defineHelper(`sse.${name}${suffix}`, (cpu) => {
      const x = new Lanes(cpu, 0);
      for (let lane = 0; lane < lanes; lane++) x.setU32(lane, approximate(x.u32(lane)));
    });
  }
}

// ---- conversions: argument 0 is the source, result 0 the destination ----

type Conversion = (source: Lanes, result: Lanes) => void;
/** @param mmx the instruction may have an MMX operand: argument 1 tells if it has (cpu/definitions/sse/convert.ts) */
function defineConversion(name: string, convert: Conversion, mmx = false): void {
  defineHelper(`sse.${name}`, (cpu) => {
    const source = new Lanes(cpu, 0);
    if (mmx && cpu.argumentI32(1) !== 0) {
      cpu.setI32(X87_TOP, 0);
      cpu.setI32(X87_TAGS, 0xff);
    }
    underMxcsr(cpu, () => convert(source, source));
  });
}
defineConversion("cvtss2sd", (s, r) => r.setU64(0, Convert.cvtss2sd(s.u32(0), control)));
defineConversion("cvtsd2ss", (s, r) => r.setU32(0, Convert.cvtsd2ss(s.u64(0), control)));
defineConversion("cvtps2pd", (s, r) => {
  const [low, high] = [s.u32(0), s.u32(1)];
  r.setU64(0, Convert.cvtss2sd(low, control));
  r.setU64(1, Convert.cvtss2sd(high, control));
});
defineConversion("cvtpd2ps", (s, r) => {
  const [low, high] = [s.u64(0), s.u64(1)];
  r.setU64(1, 0n);
  r.setU32(0, Convert.cvtsd2ss(low, control));
  r.setU32(1, Convert.cvtsd2ss(high, control));
});
const signed64 = (value: bigint) => BigInt.asIntN(64, value);
defineConversion("cvtsi2ss.32", (s, r) => r.setU32(0, Convert.cvtsi2ss(s.u32(0) | 0, control)));
defineConversion("cvtsi2ss.64", (s, r) => r.setU32(0, Convert.cvtsi2ss(signed64(s.u64(0)), control)));
defineConversion("cvtsi2sd.64", (s, r) => r.setU64(0, Convert.cvtsi2sd(signed64(s.u64(0)), control)));
defineConversion(
  "cvtpi2ps",
  (s, r) => {
    for (const lane of [0, 1]) r.setU32(lane, Convert.cvtsi2ss(s.u32(lane) | 0, control));
  },
  true,
);
defineConversion("cvtdq2ps", (s, r) => {
  for (const lane of [0, 1, 2, 3]) r.setU32(lane, Convert.cvtsi2ss(s.u32(lane) | 0, control));
});
for (const [name, single32, single64, double32, double64] of [
  ["cvt", Convert.cvtss2si32, Convert.cvtss2si64, Convert.cvtsd2si32, Convert.cvtsd2si64],
  ["cvtt", Convert.cvttss2si32, Convert.cvttss2si64, Convert.cvttsd2si32, Convert.cvttsd2si64],
] as const) {
  defineConversion(`${name}ss2si.32`, (s, r) => r.setU64(0, BigInt(single32(s.u32(0), control))));
  defineConversion(`${name}ss2si.64`, (s, r) => r.setU64(0, single64(s.u32(0), control)));
  defineConversion(`${name}sd2si.32`, (s, r) => r.setU64(0, BigInt(double32(s.u64(0), control))));
  defineConversion(`${name}sd2si.64`, (s, r) => r.setU64(0, double64(s.u64(0), control)));
  defineConversion(
    `${name}ps2pi`,
    (s, r) => {
      for (const lane of [0, 1]) r.setU32(lane, single32(s.u32(lane), control));
    },
    true,
  );
  defineConversion(`${name}ps2dq`, (s, r) => {
    for (const lane of [0, 1, 2, 3]) r.setU32(lane, single32(s.u32(lane), control));
  });
  defineConversion(
    `${name}pd2pi`,
    (s, r) => {
      const [low, high] = [s.u64(0), s.u64(1)];
      r.setU32(0, double32(low, control));
      r.setU32(1, double32(high, control));
    },
    true,
  );
  defineConversion(`${name}pd2dq`, (s, r) => {
    const [low, high] = [s.u64(0), s.u64(1)];
    r.setU64(1, 0n);
    r.setU32(0, double32(low, control));
    r.setU32(1, double32(high, control));
  });
}
