/**
 * Instructions with a VEX prefix that do what a legacy SSE instruction does (Intel SDM vol. 1, 14.1): they are derived from
 * its definition. What differs is where operands are. The destination need not be the first source; the rest of the
 * destination's YMM register becomes zero; and 256-bit forms do the same in both halves.
 */

import type { Builder } from "../../ir/builder.ts";
import { BaseOperand, type Operand, withPart } from "../../ir/operand.ts";
import type { RegisterRef, Value, VectorPart } from "../../ir/value.ts";
import { type Definition, definitionOf } from "../registry.ts";
import { joinHalves } from "../sse/fast-path.ts";
import { IOTA } from "../sse/packed.ts";
import { isWide, zero } from "./wide.ts";

/** How an instruction deviates from doing the same in both halves. */
export interface Deviation {
  /** Bits of the immediate that belong to the lower half, where the upper one has bits of its own. */
  readonly immediateBits?: number;
  /** Lanes become wider: the halves of the result come from the halves of a source of half the size. */
  readonly widens?: boolean;
  /** Lanes become narrower: the halves of the source give 64 bits each. */
  readonly narrows?: boolean;
}

/** The destination: what the legacy definition reads there is the first source. */
class Destination extends BaseOperand {
  readonly kind = "xmm";

  constructor(
    b: Builder,
    private readonly source: Operand,
    private readonly into: (value: Value) => void,
    private readonly place: RegisterRef,
  ) {
    super(b, 128);
  }

  override get register(): RegisterRef {
    return this.place;
  }
  override read(): Value {
    return this.source.read();
  }
  override readVector(): Value {
    return this.source.readVector();
  }
  override readPart(part: VectorPart): Value {
    return this.source.readPart(part);
  }
  override writeVector(value: Value): void {
    this.into(value);
  }
  override writePart(part: VectorPart, value: Value): void {
    this.into(withPart(this.b, this.source.readVector(), part, value));
  }
}

/** An immediate whose upper bits are for the upper half. */
class ShiftedImmediate extends BaseOperand {
  readonly kind = "immediate";

  constructor(
    b: Builder,
    private readonly whole: Operand,
    private readonly by: number,
  ) {
    super(b, whole.bits);
  }

  override read(): Value {
    return this.b.shrBy(this.whole.read(), this.by);
  }
}

/** The upper half of the lower half of a register, and so on: what a widening instruction takes for its upper half. */
class RegisterFraction extends BaseOperand {
  readonly kind = "xmm";

  constructor(
    b: Builder,
    bits: number,
    private readonly whole: Operand,
  ) {
    super(b, bits);
  }

  override readVector(): Value {
    const x = this.whole.readVector();
    const first = this.bits / 8;
    return this.b.shuffle(
      x,
      x,
      IOTA.map((byte) => (byte + first) & 15),
    );
  }
}

/** A source as the pass for one half sees it. */
function sourceOf(b: Builder, operand: Operand, half: 0 | 1, deviation: Deviation): Operand {
  const { immediateBits = 0, widens = false } = deviation;
  if (operand.kind === "immediate")
    return half === 0 || immediateBits === 0 ? operand : new ShiftedImmediate(b, operand, immediateBits);
  if (isWide(operand)) return operand.half(half);
  if (!widens) return operand;
  const bits = operand.bits / 2;
  if (operand.isMemory) return operand.slice((half * bits) / 8, bits);
  return half === 0 ? operand : new RegisterFraction(b, bits, operand);
}

/** What to do with the results of the two passes. */
function destinationOf(b: Builder, place: Operand, source: Operand, half: 0 | 1, join: Join): Operand {
  return new Destination(b, source, (value) => join(half, value), place.register);
}
type Join = (half: 0 | 1, value: Value) => void;

function joinResults(b: Builder, { register }: Operand, { narrows = false }: Deviation): Join {
  if (!narrows) return (half, value) => b.setXmm(register, value, half === 0 ? "v128" : "high");
  let low: Value | undefined;
  return (half, value) => {
    if (half === 0 || low === undefined) {
      low = value;
      return;
    }
    b.setXmm(
      register,
      b.shuffle(low, value, [...IOTA.slice(0, 8), ...IOTA.slice(0, 8).map((byte) => byte + 16)]),
    );
    b.setXmm(register, zero(b), "high");
  };
}

/**
 * The definition of an instruction with a VEX prefix, from a legacy one.
 * @param hasFirstSource the second operand is the first source, where there are three (or two and an immediate)
 */
export function derived(legacy: Definition, hasFirstSource: boolean, deviation: Deviation = {}): Definition {
  return (b, operands, context) => {
    const [place, ...rest] = operands;
    if (place.kind !== "xmm") {
      legacy(b, operands, context);
      return;
    }
    const first = hasFirstSource && rest.length > 1 ? rest[0] : place;
    const sources = first === place ? rest : rest.slice(1);
    if (!operands.some(isWide)) {
      const into = (value: Value) => {
        b.setXmm(place.register, value);
        b.setXmm(place.register, zero(b), "high");
      };
      legacy(b, [new Destination(b, first, into, place.register), ...sources], context);
      return;
    }
    const join = joinResults(b, place, deviation);
    joinHalves(b, (half) => {
      const source = isWide(first) ? first.half(half) : first;
      const destination = destinationOf(b, place, source, half, join);
      legacy(b, [destination, ...sources.map((operand) => sourceOf(b, operand, half, deviation))], context);
    });
  };
}

/** The definition of a legacy instruction, which must be there already. */
export function legacyDefinition(mnemonic: string): Definition {
  const legacy = definitionOf(mnemonic);
  if (legacy === undefined) throw new Error(`${mnemonic} is not defined yet`);
  return legacy;
}

/** {@link derived} from what is defined by that mnemonic. */
export function derivedFrom(mnemonic: string, hasFirstSource: boolean, deviation?: Deviation): Definition {
  return derived(legacyDefinition(mnemonic), hasFirstSource, deviation);
}
