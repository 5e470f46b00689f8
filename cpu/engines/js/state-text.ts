/** How generated JavaScript reads and writes the CPU state: elements of typed arrays, registers in variables of their own. */

import { FLAG_CARRY, GPR, XMM, XMM_STRIDE, YMM_HIGH } from "../../state.ts";
import { CodeText } from "./code-text.ts";
import {
  asBig,
  asInt,
  big,
  bigConstant,
  bool,
  type Expression,
  int,
  Level,
  unsigned,
  within,
} from "./expression.ts";
import { registerName } from "./register-names.ts";
import { placeName, VIEWS, type View } from "./state-names.ts";

export class StateText extends CodeText {
  /** Places in the state that the code names, and their indices. */
  readonly places = new Map<string, number>();
  /** General registers that have variables. */
  readonly registers = new Set<number>();

  /** An element of a typed array over the state. */
  protected element(view: View, offset: number): string {
    const name = placeName(offset);
    // Vector registers are named by their quadwords, everything else by what it is.
    const isVector = offset >= XMM && offset < XMM + 16 * XMM_STRIDE;
    if (isVector && VIEWS[view] === 4) {
      this.places.set(name, offset / 8);
      return `${view}[2 * ${name}]`;
    }
    this.places.set(name, offset / VIEWS[view]);
    return `${view}[${name}]`;
  }

  /** Writes a value of any kind to the state. */
  protected write(offset: number, expression: Expression): void {
    switch (expression.kind) {
      case "big":
      case "doubleBits":
        this.line(`${this.element("r64", offset)} = ${expression.text};`);
        break;
      case "int":
      case "bool":
      case "singleBits":
        this.line(
          `${this.elementOf32("i32", offset)} = ${(expression.kind === "bool" ? asInt(expression) : expression).text};`,
        );
        break;
      case "double":
        this.line(`${this.element("f64", offset)} = ${expression.text};`);
        break;
      case "single":
        this.line(`${this.elementOf32("f32", offset)} = ${expression.text};`);
        break;
      case "vector":
        this.places.set(placeName(offset), offset / 8);
        this.line(`setVector(${placeName(offset)}, ${expression.text});`);
    }
  }

  /** An element of an array in the state: x87 registers by their distance from R0. */
  protected indexed(view: View, offset: number, at: string, stride: number): string {
    const bytes = VIEWS[view];
    return `${view}[${offset / bytes} + ${stride / bytes} * ${at}]`;
  }

  protected indexedRead(offset: number, type: string, at: string, stride: number): Expression {
    switch (type) {
      case "i64":
        return big(this.indexed("r64", offset, at, stride), Level.Primary);
      case "i32":
        return int(this.indexed("i32", offset, at, stride), Level.Primary);
      case "u16":
        return int(this.indexed("u16", offset, at, stride), Level.Primary, 0, 0xffff);
      case "f64":
        return { kind: "doubleBits", text: this.indexed("r64", offset, at, stride), level: Level.Primary };
      default: {
        const text = `vectorAt(${offset / 8} + ${stride / 8} * ${at})`;
        return { kind: "vector", text, level: Level.Primary };
      }
    }
  }

  protected setGpr(index: number, high: boolean, bits: number, expression: Expression): void {
    this.registers.add(index);
    const name = registerName(index, 64);
    const value = asBig(expression);
    const element = this.element("r64", GPR + index * 8);
    if (bits >= 32) {
      this.line(`${element} = ${name} = ${unsigned(value, bits).text};`);
      return;
    }
    const mask = (1n << BigInt(bits)) - 1n;
    const low = within(unsigned(value, bits), Level.Primary);
    const kept = bigConstant(BigInt.asUintN(64, ~(high ? mask << 8n : mask))).text;
    this.line(`${element} = ${name} = (${name} & ${kept}) | ${high ? `(${low} << 8n)` : low};`);
  }

  protected setXmm(offset: number, part: string, expression: Expression): void {
    switch (part) {
      case "high":
        this.write(offset + YMM_HIGH, expression);
        break;
      case "q1":
        this.write(offset + 8, expression);
        break;
      case "d0":
        this.line(`${this.element("i32", offset)} = low32(${expression.text});`);
        break;
      case "f32":
        if (expression.kind === "single") this.line(`${this.element("f32", offset)} = ${expression.text};`);
        else this.line(`${this.element("i32", offset)} = ${expression.text};`);
        break;
      default:
        this.write(offset, expression);
    }
  }

  protected setField(offset: number, type: string, expression: Expression): void {
    if (type === "i32" || type === "u16") {
      this.line(`${this.element(type === "i32" ? "i32" : "u16", offset)} = ${asInt(expression).text};`);
    } else this.write(offset, expression);
  }

  protected setIndexed(
    offset: number,
    type: string,
    at: string,
    stride: number,
    expression: Expression,
  ): void {
    const element = (view: View) => this.indexed(view, offset, at, stride);
    switch (expression.kind) {
      case "big":
      case "doubleBits":
        this.line(`${element("r64")} = ${expression.text};`);
        break;
      case "double":
        this.line(`${element("f64")} = ${expression.text};`);
        break;
      case "vector":
        this.line(`setVector(${offset / 8} + ${stride / 8} * ${at}, ${expression.text});`);
        break;
      default:
        this.line(`${element(type === "u16" ? "u16" : "i32")} = ${asInt(expression).text};`);
    }
  }

  /** A 32-bit element of a place that is named by its quadword. */
  protected elementOf32(view: "i32" | "f32", offset: number): string {
    this.places.set(placeName(offset), offset / 8);
    return `${view}[2 * ${placeName(offset)}]`;
  }

  protected readXmm(offset: number, part: string): Expression {
    switch (part) {
      case "high":
        return this.readXmm(offset + YMM_HIGH, "v128");
      case "v128":
        this.places.set(placeName(offset), offset / 8);
        return { kind: "vector", text: `vectorAt(${placeName(offset)})`, level: Level.Primary };
      case "q0":
        return big(this.element("r64", offset), Level.Primary);
      case "q1":
        return big(this.element("r64", offset + 8), Level.Primary);
      case "d0":
        return unsigned(big(this.element("r64", offset), Level.Primary), 32);
      case "f64":
        return { kind: "doubleBits", text: this.element("r64", offset), level: Level.Primary };
      default:
        return { kind: "singleBits", text: this.element("i32", offset), level: Level.Primary };
    }
  }

  protected stateRead(offset: number, type: string, isArgument = false): Expression {
    switch (type) {
      case "i64":
        return big(this.element("r64", offset), Level.Primary);
      case "i32": {
        const text = isArgument ? this.elementOf32("i32", offset) : this.element("i32", offset);
        return offset === FLAG_CARRY ? bool(`${text} !== 0`, Level.Equality) : int(text, Level.Primary);
      }
      case "u16":
        return int(this.element("u16", offset), Level.Primary, 0, 0xffff);
      case "f64":
        return { kind: "doubleBits", text: this.element("r64", offset), level: Level.Primary };
      case "f32":
        return { kind: "singleBits", text: this.elementOf32("i32", offset), level: Level.Primary };
      default:
        this.places.set(placeName(offset), offset / 8);
        return { kind: "vector", text: `vectorAt(${placeName(offset)})`, level: Level.Primary };
    }
  }
}
