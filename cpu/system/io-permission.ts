/** Who may use which ports: IOPL, and the bitmap in the TSS. Intel SDM vol. 1, 19.5. */

import { GuestException } from "../helpers.ts";
import { Vector } from "../state.ts";
import { SystemType, typeOf } from "./segment.ts";
import type { SystemState } from "./system-state.ts";

/** Where the TSS says where its bitmap is (SDM vol. 3, figures 8-2 and 8-11). */
const BITMAP_BASE = 0x66;

/** @throws GuestException */
export function requirePort(system: SystemState, port: number, size: number): void {
  if (!system.isVirtual8086 && (!system.isProtected || system.cpl <= system.ioPrivilege)) return;
  const { base, limit, rights } = system.tr;
  const type = typeOf(rights);
  const refused = new GuestException(Vector.GP, 0);
  if ((type !== SystemType.BusyTss32 && type !== SystemType.Tss32) || limit < BITMAP_BASE + 1) throw refused;
  const at = system.readTable(base + BITMAP_BASE, 2) + (port >> 3);
  // Two bytes are read always: the bits of an access may lie in both.
  if (at + 1 > limit) throw refused;
  const bits = system.readTable(base + at, 2) >> (port & 7);
  if ((bits & ((1 << size) - 1)) !== 0) throw refused;
}
