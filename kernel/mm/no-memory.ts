/** The memory of a thread that has ended: nothing is there. */

import { EFAULT, Errno } from "../errno.ts";
import type { UserMemory } from "./user-memory.ts";

function fault(): never {
  throw new Errno(EFAULT);
}

export const NO_MEMORY: UserMemory = {
  check: () => false,
  read: fault,
  readInto: fault,
  write: fault,
  fill: fault,
  readU8: fault,
  readU16: fault,
  readU32: fault,
  readI32: fault,
  readU64: fault,
  readI64: fault,
  writeU8: fault,
  writeU16: fault,
  writeU32: fault,
  writeU64: fault,
  writeI64: fault,
  readString: fault,
};
