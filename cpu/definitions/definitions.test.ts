import { describe, expect, it } from "vitest";
import type { OpcodeRow } from "../decoder/instruction.ts";
import { ROWS } from "../decoder/rows.ts";
import { buildForm } from "../engines/interp/form-code.ts";
import { formsOf } from "../engines/interp/forms.ts";
import { lowerHandler, type Runtime } from "../engines/interp/lower.ts";
import { helperNamed } from "../helpers.ts";
import { IMPLEMENTED_FEATURES } from "../model.ts";
import { ModuleBuilder } from "../wasm/module-builder.ts";
import { definedMnemonics, definitionOf } from "./registry.ts";
import "../helpers/index.ts";
import "./index.ts";

const exists = (row: OpcodeRow): boolean =>
  row.mode !== "not64" && (row.feature === undefined || IMPLEMENTED_FEATURES.has(row.feature));

const rows = ROWS.filter(exists);

describe("instruction definitions", () => {
  it("exist for every row of the tables that this processor has", () => {
    const missing = new Set(
      rows.map((row) => row.mnemonic).filter((mnemonic) => definitionOf(mnemonic) === undefined),
    );
    expect([...missing].sort()).toEqual([]);
  });

  it("belong to rows", () => {
    const known = new Set(ROWS.map((row) => row.mnemonic));
    expect(definedMnemonics().filter((mnemonic) => !known.has(mnemonic))).toEqual([]);
  });

  it("lower to valid WebAssembly in every form, with and without flags, and call helpers that exist", () => {
    const module = new ModuleBuilder();
    const signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] } as const;
    const slow = { parameters: ["i32", "i32", "i32", "i64", "i32"], results: ["i32"] } as const;
    const plain = module.importFunction("env", "plain", signature);
    const access = module.importFunction("env", "access", slow);
    module.importMemory(1);
    const missingHelpers = new Set<string>();
    const runtime: Runtime = {
      handlerType: module.type(signature),
      load: access,
      modify: access,
      store: access,
      probe: access,
      commit: plain,
      link: plain,
      lookup: plain,
      helper: (name) => {
        if (helperNamed(name) === undefined) missingHelpers.add(name);
        return plain;
      },
    };
    const functions: number[] = [];
    for (const row of rows) {
      const definition = definitionOf(row.mnemonic);
      if (definition === undefined) continue;
      for (const form of formsOf(row)) {
        for (const flagsDead of [false, true]) {
          const lowered = lowerHandler(buildForm({ ...form, flagsDead }, definition), runtime);
          functions.push(module.addFunction(row.mnemonic, signature, lowered.locals, lowered.code));
        }
      }
    }
    module.defineTable(functions.length);
    module.fillTable(0, functions);
    expect([...missingHelpers]).toEqual([]);
    expect(functions.length).toBeGreaterThan(3000);
    // Compiling says where it fails.
    expect(new WebAssembly.Module(new Uint8Array(module.toBytes()))).toBeInstanceOf(WebAssembly.Module);
  });
});
