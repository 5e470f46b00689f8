/**
 * Lowers the IR of instructions to JavaScript statements.
 *
 * General registers live in variables of their own names, which are written through to the CPU state: so at every
 * instruction the state is exact, and a debugger shows the registers. Reads of registers and flags are written where they
 * are used, not where the IR has them, unless something changes them in between.
 */

import { contains } from "../../ir/contains.ts";
import {
  type Block,
  MEMORY_BYTES,
  type MemoryKind,
  type Modify,
  type Place,
  type Statement,
  type Value,
  type Variable,
} from "../../ir/value.ts";
import { HELPER_ARGUMENTS, X87, X87_STRIDE, XMM, XMM_STRIDE } from "../../state.ts";
import type { Binding } from "./binding.ts";
import { address, INDENT, RELOAD } from "./code-text.ts";
import {
  asBig,
  asBits,
  big,
  bigConstant,
  bool,
  type Expression,
  intConstant,
  Level,
  not,
  signed,
  signedInt,
  truth,
  unsigned,
  within,
} from "./expression.ts";
import { numericExpression, selectExpression } from "./operators.ts";
import { highByteName, registerName } from "./register-names.ts";
import { StateText } from "./state-text.ts";
import {
  constantExpression,
  constantOf,
  converted,
  loadedExpression,
  stemOf,
  variableForm,
} from "./value-forms.ts";

/** What the code of one instruction needs to know besides its IR. */
export interface LoweredInstruction {
  readonly rip: number;
  readonly next: number;
  /** Of a direct branch. */
  readonly target: number | undefined;
}

/** A read that has not been written down yet, and what it depends on. */
interface DeferredRead {
  /** Names what a write must match to come in its way. */
  readonly key: string | Variable;
  readonly read: () => Expression;
  readonly name: string;
  left: number;
}

const STORE_NAMES: Readonly<Record<MemoryKind, string>> = {
  u8: "8",
  u16: "16",
  u32: "32",
  u64: "64",
  f32: "Single",
  f64: "64",
  v128: "Vector",
};

export class JsLowering extends StateText {
  /** Helpers that it calls, and what it calls them. */
  readonly helpers = new Map<string, string>();
  /** Its vector constants. */
  readonly vectors: string[] = [];
  private onSecond: (() => LoweredInstruction) | undefined;
  private readonly values = new Map<Value, Expression>();
  private readonly deferred = new Map<Value, DeferredRead>();
  private readonly variables = new Map<Variable, Expression>();
  private readonly modifications = new Map<Modify, string>();

  constructor(
    private binding: Binding,
    private instruction: LoweredInstruction,
  ) {
    super();
  }

  /**
   * Lowers the next instruction; its uses have been counted.
   * @param onSecond called where the second of two joined instructions begins, to say what that is
   */
  lower(
    body: Block,
    binding: Binding,
    instruction: LoweredInstruction,
    onSecond: () => LoweredInstruction = () => instruction,
  ): void {
    this.binding = binding;
    this.instruction = instruction;
    this.onSecond = onSecond;
    this.values.clear();
    this.deferred.clear();
    this.variables.clear();
    this.modifications.clear();
    this.names.clear();
    const repeats = contains(body, ({ do: kind }) => kind === "again");
    const start = this.lines.length;
    // Lines that belong to the first of two must not move any more when the second begins.
    const isJoined = contains(body, ({ do: kind }) => kind === "second");
    if (repeats) this.open("repeat: for (;;) {");
    else if (isJoined) this.open("{");
    this.block(body);
    if (repeats) {
      this.line("break;");
      this.close();
    } else if (isJoined) this.close();
    else if (this.lines.slice(start).some((text) => /^\s*(const|let) /.test(text))) {
      // Its names are its own.
      for (let index = start; index < this.lines.length; index++)
        this.lines[index] = INDENT + this.lines[index];
      this.lines.splice(start, 0, `${INDENT.repeat(this.depth)}{`);
      this.line("}");
    }
  }

  // ---- statements ----

  private block(block: Block): void {
    for (const statement of block) this.statement(statement);
  }

  private statement(statement: Statement): void {
    switch (statement.do) {
      case "value":
        this.pin(statement.value);
        break;
      case "set":
        this.set(statement.place, statement.value);
        break;
      case "store": {
        const address = this.address(statement.address);
        const value = this.stored(statement.value);
        this.line(`store${STORE_NAMES[statement.kind]}(${address}, ${value});`);
        break;
      }
      case "probe":
        this.line(`probeWrite(${this.address(statement.address)}, ${statement.bytes});`);
        break;
      case "commit": {
        const place = this.modifications.get(statement.modify);
        if (place === undefined) throw new Error("a modification is committed in the block that began it");
        const value = this.stored(statement.value);
        this.line(`commit${STORE_NAMES[statement.modify.kind]}(${place}, ${value});`);
        break;
      }
      case "assign":
        this.assign(statement.variable, statement.value);
        break;
      case "if": {
        const condition = truth(this.expression(statement.condition)).text;
        this.materialiseWritten([...statement.yes, ...statement.no]);
        this.open(`if (${condition}) {`);
        this.block(statement.yes);
        if (statement.no.length > 0) {
          this.close("} else {");
          this.depth++;
          this.block(statement.no);
        }
        this.close();
        break;
      }
      case "loop":
        this.materialiseWritten(statement.body);
        this.open("for (;;) {");
        this.block(statement.body);
        this.close();
        break;
      case "continueIf":
        this.line(`if (${not(truth(this.expression(statement.condition))).text}) break;`);
        break;
      case "helper":
        this.helper(statement.name, statement.args);
        break;
      case "exception":
        this.line(`raise(${statement.vector}, ${statement.error});`);
        break;
      case "exit":
        this.line(`return exit(${statement.reason}, ${address(this.instruction.next)});`);
        break;
      case "branch":
        this.branch(statement.condition);
        break;
      case "jump":
        this.line(`return Number(${signed(asBig(this.expression(statement.target))).text});`);
        break;
      case "again":
        this.line(`if (block.isStale) return interrupted(${address(this.instruction.rip)});`);
        this.line("continue repeat;");
        break;
      case "second":
        if (this.onSecond !== undefined) this.instruction = this.onSecond();
        break;
    }
  }

  private branch(condition: Value | undefined): void {
    const { target, next } = this.instruction;
    if (target === undefined) throw new Error("a branch needs a target");
    if (condition === undefined) this.line(`return ${address(target)};`);
    else {
      const test = within(truth(this.expression(condition)), Level.LogicalOr);
      this.line(`return ${test} ? ${address(target)} : ${address(next)};`);
    }
  }

  private assign(variable: Variable, value: Value): void {
    const expression = this.expression(value);
    this.materialise(variable);
    const known = this.variables.get(variable);
    if (known === undefined) {
      const name = this.name("local");
      const form = variableForm(expression);
      this.variables.set(variable, { ...form, text: name, level: Level.Primary });
      this.line(`let ${name} = ${form.text};`);
    } else {
      this.line(`${known.text} = ${converted(expression, known)};`);
    }
  }

  /** Arguments stand in the state, where a helper finds them; it may change any of the state. */
  private helper(name: string, args: readonly Value[]): void {
    const texts = args.map((argument) => this.expression(argument));
    this.materialiseState();
    for (const [slot, expression] of texts.entries()) this.write(HELPER_ARGUMENTS + slot * 16, expression);
    let alias = this.helpers.get(name);
    if (alias === undefined) {
      alias = name.replace(/\W(\w)/g, (_match, letter: string) => letter.toUpperCase());
      this.helpers.set(name, alias);
    }
    this.line(`${alias}();`);
    this.line(RELOAD);
  }

  // ---- values ----

  private pin(value: Value): void {
    if (value.op === "load") {
      this.load(value);
      return;
    }
    if (value.uses === 0) return;
    if (this.defer(value)) return;
    if (value.uses === 1) return;
    const expression = this.compute(value);
    const isLiteral = /^-?(0x)?[0-9a-f]+n?$/.test(expression.text);
    this.values.set(value, isLiteral ? expression : this.keep(stemOf(value, expression), expression));
  }

  private expression(value: Value): Expression {
    const known = this.values.get(value);
    if (known !== undefined) return known;
    const read = this.deferred.get(value);
    if (read !== undefined) {
      read.left--;
      return read.read();
    }
    const expression = this.compute(value);
    // Long expressions are read more easily in pieces.
    return expression.text.length > 70 ? this.keep(stemOf(value, expression), expression) : expression;
  }

  private compute(value: Value): Expression {
    switch (value.op) {
      case "const":
        return constantExpression(value.type, value.value);
      case "const128":
        return { kind: "vector", text: this.vectorConstant(value.bytes), level: Level.Primary };
      case "numeric":
        return this.numeric(value);
      case "shuffle": {
        const [x, y] = value.args.map((argument) => this.expression(argument).text);
        return {
          kind: "vector",
          text: `i8x16.shuffle(${x}, ${y}, ${value.lanes.join(", ")})`,
          level: Level.Primary,
        };
      }
      case "select": {
        const [condition, yes, no] = value.args.map((argument) => this.expression(argument));
        return selectExpression(condition, yes, no);
      }
      case "encoded":
        return this.encoded(value);
      case "registerNumber":
        return intConstant(this.binding.number(value.register));
      default:
        throw new Error(`${value.op} is evaluated where it stands`);
    }
  }

  private numeric(value: Extract<Value, { op: "numeric" }>): Expression {
    const pattern = this.pattern(value);
    if (pattern !== undefined) return pattern;
    const operands = value.args.map((argument) => this.expression(argument));
    return numericExpression(value.name, operands, value.lane);
  }

  /** Shapes of values that JavaScript says more simply than WebAssembly. */
  private pattern(value: Extract<Value, { op: "numeric" }>): Expression | undefined {
    const inner = value.args[0];
    if (inner.op !== "numeric" || this.values.has(inner) || inner.uses > 1) return undefined;
    const by = constantOf(inner.args[1]);
    switch (value.name) {
      case "i64.shr_s": {
        // Shifted up and down again: the low bits, sign-extended.
        const count = constantOf(value.args[1]);
        if (inner.name !== "i64.shl" || count === undefined || count !== by) return undefined;
        return signed(asBig(this.expression(inner.args[0])), 64 - Number(count));
      }
      case "i32.wrap_i64":
        if (inner.name.startsWith("i64.extend_i32_")) return this.expression(inner.args[0]);
        if (inner.name !== "i64.shr_u" || by !== 63n) return undefined;
        return bool(
          `${within(signed(asBig(this.expression(inner.args[0]))), Level.Shift)} < 0n`,
          Level.Relational,
        );
      case "i32.and": {
        if (inner.name !== "i32.wrap_i64" || constantOf(value.args[1]) !== 1n) return undefined;
        const bit = numericExpression("i64.and", [this.expression(inner.args[0]), bigConstant(1n)]);
        return numericExpression("i32.wrap_i64", [bit]);
      }
      default:
        return undefined;
    }
  }

  private vectorConstant(bytes: Uint8Array): string {
    const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
    const words = [0, 4, 8, 12].map((at) => intConstant(view.getInt32(at, true)).text);
    if (words.every((word) => word === "0")) return "ZERO";
    const text = `new V128(${words.join(", ")})`;
    const known = this.vectors.indexOf(text);
    return `VECTOR${(known >= 0 ? known : this.vectors.push(text) - 1) + 1}`;
  }

  private encoded({ field }: Extract<Value, { op: "encoded" }>): Expression {
    switch (field) {
      case "second":
        return intConstant(this.binding.second());
      case "base":
      case "index":
      case "segmentBase":
        return bigConstant(0n); // the others are deferred reads
      default:
        return bigConstant(this.binding.constant(field));
    }
  }

  // ---- reads ----

  /** Notes a read of the state or of a variable. @returns false if the value is none */
  private defer(value: Value): boolean {
    const read = this.readOf(value);
    if (read === undefined) return false;
    this.deferred.set(value, { ...read, left: value.uses });
    // Used more than once: by its name, unless it is a register's.
    if (value.uses > 1 && !/^\w+$/.test(read.read().text)) this.materialiseOne(value);
    return true;
  }

  private readOf(value: Value): Omit<DeferredRead, "left"> | undefined {
    switch (value.op) {
      case "get":
        return this.readOfPlace(value.place);
      case "variable": {
        const variable = this.variables.get(value.variable);
        if (variable === undefined) throw new Error("a variable is read before it is assigned");
        return { key: value.variable, name: "before", read: () => variable };
      }
      case "helperResult": {
        const offset = HELPER_ARGUMENTS + value.slot * 16;
        const { type } = value;
        return { key: "helper", name: "result", read: () => this.stateRead(offset, type, true) };
      }
      case "encoded": {
        if (value.field === "base" || value.field === "index") {
          const register = this.binding.addressRegister(value.field);
          return register === undefined ? undefined : this.readOfGpr(register, false, 64);
        }
        if (value.field !== "segmentBase") return undefined;
        const offset = this.binding.segmentBase();
        if (offset === undefined) return undefined;
        return { key: `field${offset}`, name: "base", read: () => this.stateRead(offset, "i64") };
      }
      default:
        return undefined;
    }
  }

  private readOfPlace(place: Place): Omit<DeferredRead, "left"> {
    const key = this.keyOf(place);
    switch (place.kind) {
      case "gpr": {
        const { index, high } = this.binding.gpr(place.register);
        return this.readOfGpr(index, high, place.bits);
      }
      case "xmm": {
        const offset = XMM + this.binding.number(place.register) * XMM_STRIDE;
        const name = `xmm${this.binding.number(place.register)}`;
        return {
          key,
          name: `old${name[0].toUpperCase()}${name.slice(1)}`,
          read: () => this.readXmm(offset, place.part),
        };
      }
      case "mmx": {
        const offset = X87 + this.binding.number(place.register) * X87_STRIDE;
        return { key, name: "mm", read: () => this.stateRead(offset, "i64") };
      }
      case "field": {
        const { offset, type, index, stride = 1 } = place;
        if (index === undefined) {
          return { key, name: "field", read: () => this.stateRead(offset, type) };
        }
        // The index is evaluated once, here.
        const at = this.keep("index", signedInt(this.expression(index))).text;
        return { key, name: "register", read: () => this.indexedRead(offset, type, at, stride) };
      }
    }
  }

  private readOfGpr(index: number, high: boolean, bits: number): Omit<DeferredRead, "left"> {
    this.registers.add(index);
    const register = registerName(index, 64);
    const key = `gpr${index}`;
    const whole = big(register, Level.Primary);
    if (bits === 64) return { key, name: `old_${register}`, read: () => whole };
    const name = high ? highByteName(index) : registerName(index, bits);
    return {
      key,
      name,
      read: () => unsigned(high ? big(`(${register} >> 8n)`, Level.Primary) : whole, bits),
    };
  }

  /** What a place has in common with all that overlap it. */
  private keyOf(place: Place): string {
    switch (place.kind) {
      case "gpr":
        return `gpr${this.binding.gpr(place.register).index}`;
      case "xmm":
        return `xmm${this.binding.number(place.register)}`;
      case "mmx":
        return "x87";
      case "field":
        if (place.index !== undefined) return "x87";
        return place.offset >= X87 && place.offset < X87 + 8 * X87_STRIDE ? "x87" : `field${place.offset}`;
    }
  }

  // ---- writes ----

  private set(place: Place, value: Value): void {
    const expression = this.expression(value);
    const index =
      place.kind === "field" && place.index !== undefined
        ? signedInt(this.expression(place.index))
        : undefined;
    this.materialise(this.keyOf(place));
    switch (place.kind) {
      case "gpr": {
        const { index: register, high } = this.binding.gpr(place.register);
        this.setGpr(register, high, place.bits, expression);
        break;
      }
      case "xmm":
        this.setXmm(XMM + this.binding.number(place.register) * XMM_STRIDE, place.part, expression);
        break;
      case "mmx":
        this.write(X87 + this.binding.number(place.register) * X87_STRIDE, expression);
        break;
      case "field":
        if (index === undefined) this.setField(place.offset, place.type, expression);
        else
          this.setIndexed(
            place.offset,
            place.type,
            within(index, Level.Multiplicative),
            place.stride ?? 1,
            expression,
          );
    }
  }

  // ---- what comes between a read and its use ----

  private materialise(key: string | Variable): void {
    for (const [value, read] of this.deferred)
      if (read.key === key && read.left > 0) this.materialiseOne(value);
  }

  /** Everything but variables. */
  private materialiseState(): void {
    for (const [value, read] of this.deferred) {
      if (typeof read.key === "string" && read.left > 0) this.materialiseOne(value);
    }
  }

  private materialiseWritten(block: Block): void {
    if (contains(block, ({ do: kind }) => kind === "helper")) this.materialiseState();
    contains(block, (statement) => {
      if (statement.do === "set") this.materialise(this.keyOf(statement.place));
      if (statement.do === "assign") this.materialise(statement.variable);
      return false;
    });
  }

  private materialiseOne(value: Value): void {
    const read = this.deferred.get(value);
    if (read === undefined) return;
    this.deferred.delete(value);
    this.values.set(value, this.keep(read.name, read.read()));
  }

  // ---- guest memory ----

  private address(value: Value): string {
    return asBig(this.expression(value)).text;
  }

  private load(value: Extract<Value, { op: "load" }>): void {
    const where = this.address(value.address);
    const size = STORE_NAMES[value.kind];
    let call: string;
    if (value.modify !== undefined || value.write) {
      const place = this.name("place");
      this.line(`const ${place} = modify(${where}, ${MEMORY_BYTES[value.kind]});`);
      if (value.modify !== undefined) this.modifications.set(value.modify, place);
      call = `read${size}(${place})`;
    } else call = `load${size}(${where})`;
    if (value.uses === 0) this.line(`${call};`);
    else this.values.set(value, this.keep("loaded", loadedExpression(value.kind, call)));
  }

  /** A value as store and commit functions take it. */
  private stored(value: Value): string {
    return asBits(this.expression(value)).text;
  }
}
