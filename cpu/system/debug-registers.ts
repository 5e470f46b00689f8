/** DR0…DR7: breakpoints on code, data and ports. Intel SDM vol. 3, 17.2 and 17.3. */

import { Access } from "../../mmu/translator.ts";
import { GuestException } from "../helpers.ts";
import { Vector } from "../state.ts";
import { Cr4 } from "./control-bits.ts";
import { isCanonical } from "./stack.ts";
import type { SystemState } from "./system-state.ts";

const DR6_FIXED = 0xffff0ff0;
const DR6_BITS = 0x0000e00f;
const DR6_BD = 1 << 13;
const DR7_FIXED = 0x400;
const DR7_BITS = 0xffff23ff;
/** Guards the debug registers. */
const DR7_GD = 1 << 13;
const BREAKPOINTS = 4;
/** R/Wn in DR7. */
const BreakOn = { Execute: 0, Write: 1, Port: 2, ReadOrWrite: 3 } as const;
/** LENn in DR7: bytes. */
const LENGTHS = [1, 2, 8, 4] as const;

interface GuestBreakpoint {
  /** Its bit in DR6. */
  readonly bit: number;
  readonly on: number;
  readonly address: number;
  readonly length: number;
}

/** DR4 and DR5 stand for DR6 and DR7 unless CR4.DE is set. */
function debugNumber(system: SystemState, register: number): number {
  if (register !== 4 && register !== 5) return register;
  if ((system.cr4 & Cr4.DE) !== 0) throw new GuestException(Vector.UD, 0);
  return register + 2;
}

/** DR7.GD guards all of them: DR6.BD tells why there is a #DB (SDM vol. 3, 17.2.4). */
function requireUnguarded(system: SystemState): void {
  if ((system.debug[7] & DR7_GD) === 0) return;
  system.debug[6] = (system.debug[6] | DR6_BD) >>> 0;
  throw new GuestException(Vector.DB, 0);
}

/** A handler of #DB may use them. */
export function unguardDebugRegisters(system: SystemState): void {
  system.debug[7] &= ~DR7_GD;
}

export function readDebug(system: SystemState, register: number): number {
  const number = debugNumber(system, register);
  requireUnguarded(system);
  return system.debug[number];
}

export function writeDebug(system: SystemState, register: number, value: bigint): void {
  const number = debugNumber(system, register);
  requireUnguarded(system);
  if (number >= 6 && value >> 32n !== 0n) throw new GuestException(Vector.GP, 0);
  const low = Number(value & 0xffffffffn);
  if (number === 6) {
    system.debug[6] = ((low & DR6_BITS) | DR6_FIXED) >>> 0;
    return;
  }
  const wasEnabled = enabledBreakpoints(system).length > 0;
  if (number === 7) system.debug[7] = ((low & DR7_BITS) | DR7_FIXED) >>> 0;
  else system.debug[number] = Number(BigInt.asIntN(64, value));
  if (wasEnabled || enabledBreakpoints(system).length > 0) applyBreakpoints(system);
}

/** Those that DR7 enables, locally or globally. */
function enabledBreakpoints({ debug }: SystemState): GuestBreakpoint[] {
  const list: GuestBreakpoint[] = [];
  for (let index = 0; index < BREAKPOINTS; index++) {
    if (((debug[7] >> (2 * index)) & 3) === 0) continue;
    const field = (debug[7] >>> (16 + 4 * index)) & 15;
    const length = LENGTHS[field >> 2];
    const address = debug[index] - (((debug[index] % length) + length) % length);
    list.push({ bit: 1 << index, on: field & 3, address, length });
  }
  return list;
}

/** Has the engine and the Mmu look for what the registers say; to be called when they have changed. */
export function applyBreakpoints(system: SystemState): void {
  const { cpu, engine } = system;
  const { stops } = cpu;
  const list = enabledBreakpoints(system);
  const before = [...stops.guestBreakpoints.keys()];
  stops.guestBreakpoints.clear();
  for (const { bit, on, address } of list) {
    if (on !== BreakOn.Execute) continue;
    stops.guestBreakpoints.set(address, (stops.guestBreakpoints.get(address) ?? 0) | bit);
  }
  for (const address of new Set([...before, ...stops.guestBreakpoints.keys()]))
    if (isCanonical(address)) engine?.invalidateVirtual(address, 1);
  const data = list.filter(({ on }) => on === BreakOn.Write || on === BreakOn.ReadOrWrite);
  if (data.length > 0 || stops.isWatchedByGuest)
    cpu.watchForGuest(
      data.map(({ bit, on, address, length }) => ({
        address,
        length,
        access: on === BreakOn.Write ? Access.Write : Access.Read | Access.Write,
        bit,
      })),
    );
  const usesPorts = (system.cr4 & Cr4.DE) !== 0;
  system.portBreakpoints = usesPorts ? list.filter(({ on }) => on === BreakOn.Port) : [];
}

/** Notes breakpoints on a port that is accessed: the trap comes behind the instruction. */
export function notePort(system: SystemState, port: number, size: number): void {
  for (const { bit, address, length } of system.portBreakpoints)
    if (port < address + length && address < port + size) system.cpu.stops.guestHits |= bit;
}

export type PortBreakpoint = GuestBreakpoint;
