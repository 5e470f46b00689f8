/** Time, chance and interrupt gates. */

import { defineHelper, GuestException } from "../helpers.ts";
import { Flag, Vector } from "../state.ts";
import { Cr4 } from "../system/control-bits.ts";

/** To slot 0; IA32_TSC_AUX to slot 1. CR4.TSD refuses it to user code. */
defineHelper("timeStampCounter", (cpu) => {
  const { system } = cpu;
  if (system !== undefined && system.cpl === 3 && (system.cr4 & Cr4.TSD) !== 0)
    throw new GuestException(Vector.GP, 0);
  cpu.setResult(0, cpu.host.timeStampCounter() + (system?.model.tscOffset ?? 0));
  cpu.setResult(1, system?.model.tscAux ?? 0);
});

/** IA32_TSC_AUX. */
defineHelper("processorNumber", (cpu) => cpu.setResult(0, cpu.system?.model.tscAux ?? 0));

/** 64 random bits to slot 0. */
defineHelper("random", (cpu) => cpu.host.random(cpu.argumentBytes(0).subarray(0, 8)));

/** The second bit of a #GP's error code: its index names an interrupt gate (SDM vol. 3, 6.13). */
const ERROR_IDT = 2;

/** Slot 0: vector of INT n. #GP for every gate that user code of the OSv kernel may not use. */
defineHelper("checkInterruptGate", (cpu) => {
  const { system } = cpu;
  if (system !== undefined) {
    // In virtual-8086 mode INT n is for whoever has IOPL 3 (SDM vol. 3, 21.2.7).
    if (system.isVirtual8086 && system.ioPrivilege < 3) throw new GuestException(Vector.GP, 0);
    return;
  }
  const vector = cpu.argumentI32(0);
  if (vector !== Vector.BP && vector !== Vector.OF)
    throw new GuestException(Vector.GP, vector * 8 + ERROR_IDT);
});

/** Slot 0: EFLAGS as they are from now on. */
defineHelper("alignmentCheck", (cpu) => cpu.checkAlignment((cpu.argumentI32(0) & Flag.AC) !== 0));
