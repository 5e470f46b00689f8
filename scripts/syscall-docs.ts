/** docs/syscalls.md, from the kernel's own table. */

import type { ArgumentType, SyscallDefinition } from "../kernel/syscalls/definition.ts";

function describeType(type: ArgumentType): string {
  if (typeof type === "string") return type;
  return "flags" in type ? "flags" : "one of";
}

function describeCall({ name, arguments: parameters, state }: SyscallDefinition): string {
  const list = parameters.map(([parameter, type]) => `${parameter}: ${describeType(type)}`).join(", ");
  return state === "absent" ? `\`${name}\`` : `\`${name}(${list})\``;
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** The whole page. */
export function describeSyscalls(table: readonly SyscallDefinition[]): string {
  const of = (state: SyscallDefinition["state"]) => table.filter((definition) => definition.state === state);
  const [done, partial, absent] = [of("done"), of("partial"), of("absent")];
  const rows = [...done, ...partial]
    .sort((a, b) => a.number - b.number)
    .map((definition) => {
      const note = definition.note ?? "";
      return `| ${definition.number} | ${escapeCell(describeCall(definition))} | ${definition.state} | ${escapeCell(note)} |`;
    });
  return [
    "# Linux system calls on the OSv kernel",
    "",
    "<!-- Written by `npm run docs` from kernel/syscalls/table.ts; test/documentation.test.ts sees that it is current. -->",
    "",
    `Of the ${table.length} calls of x86-64 Linux that the kernel knows by name, ${done.length} are done, ${partial.length} are there in part (the`,
    `last column says what is missing), and ${absent.length} are absent: they return ENOSYS, and the kernel log says so once, by`,
    "name. `osv-vm run --trace syscalls` shows the calls that a program makes.",
    "",
    "| number | call | state | what is missing |",
    "| ---: | --- | --- | --- |",
    ...rows,
    "",
    "## Absent",
    "",
    absent.map(({ name }) => `\`${name}\``).join(" "),
    "",
  ].join("\n");
}
