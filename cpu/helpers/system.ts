/** Time, chance and interrupt gates. */

import { defineHelper, GuestException } from "../helpers.ts";
import { Vector } from "../state.ts";

defineHelper("timeStampCounter", (cpu) => cpu.setResult(0, cpu.host.timeStampCounter()));

/** 64 random bits to slot 0. */
defineHelper("random", (cpu) => cpu.host.random(cpu.argumentBytes(0).subarray(0, 8)));

/** The second bit of a #GP's error code: its index names an interrupt gate (SDM vol. 3, 6.13). */
const ERROR_IDT = 2;

/** Slot 0: vector of INT n. #GP for every gate that user code may not use. */
defineHelper("checkInterruptGate", (cpu) => {
  const vector = cpu.argumentI32(0);
  if (vector !== Vector.BP && vector !== Vector.OF)
    throw new GuestException(Vector.GP, vector * 8 + ERROR_IDT);
});
