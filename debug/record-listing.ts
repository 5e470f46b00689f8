/** Text of the records that the interpreter executes (cpu/engines/interp/record.ts). */

import {
  RECORD_ABSOLUTE,
  RECORD_BASE,
  RECORD_DISPLACEMENT,
  RECORD_HANDLER,
  RECORD_IMMEDIATE,
  RECORD_INDEX,
  RECORD_NEED,
  RECORD_RETIRE,
  RECORD_SCALE,
  RECORD_SEGMENT,
  RECORD_SIZE,
  RECORD_SLOT0,
  RECORD_SLOT1,
} from "../cpu/engines/interp/record.ts";

export interface ListedRecord {
  /** The handler's name. */
  readonly handler: string;
  /** All fields of the record. Which of them mean something, and what, is the handler's business. */
  readonly fields: string;
}

/** @param handlerNames by handler number: the names of the interpreter's table */
export function listRecords(records: Uint8Array, handlerNames: readonly string[]): ListedRecord[] {
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  const listed: ListedRecord[] = [];
  for (let at = 0; at < records.length; at += RECORD_SIZE) {
    const byte = (field: number) => view.getUint8(at + field);
    const handler = view.getUint32(at + RECORD_HANDLER, true);
    const fields = [
      `slots ${byte(RECORD_SLOT0)} ${byte(RECORD_SLOT1)} ${byte(RECORD_RETIRE)}`,
      `need ${byte(RECORD_NEED)}`,
      `base ${byte(RECORD_BASE)} index ${byte(RECORD_INDEX)} scale ${byte(RECORD_SCALE)} segment ${byte(RECORD_SEGMENT)}`,
      `displacement ${view.getInt32(at + RECORD_DISPLACEMENT, true)}`,
      `immediate 0x${view.getBigUint64(at + RECORD_IMMEDIATE, true).toString(16)}`,
      `absolute 0x${view.getBigUint64(at + RECORD_ABSOLUTE, true).toString(16)}`,
    ];
    listed.push({ handler: handlerNames[handler] ?? `handler ${handler}`, fields: fields.join(", ") });
  }
  return listed;
}
