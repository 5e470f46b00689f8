/** Ctrl-A and what follows it on a serial console, as QEMU's `-nographic` has it. */

const CTRL_A = 0x01;

/** What a key behind Ctrl-A asks for. */
export type ConsoleCommand = "quit" | "help";

const COMMANDS: Readonly<Record<string, ConsoleCommand>> = { x: "quit", h: "help", "?": "help" };

export const CONSOLE_HELP = [
  "Ctrl-A h    this help",
  "Ctrl-A x    leave: the machine is switched off hard",
  "Ctrl-A Ctrl-A    send Ctrl-A to the guest",
] as const;

export class ConsoleEscape {
  private isEscaped = false;

  constructor(private readonly onCommand: (command: ConsoleCommand) => void) {}

  /** What of the typed bytes goes to the guest. */
  filter(bytes: Uint8Array): Uint8Array {
    const passed: number[] = [];
    for (const byte of bytes) {
      if (this.isEscaped) {
        this.isEscaped = false;
        const command = COMMANDS[String.fromCharCode(byte)];
        if (byte === CTRL_A) passed.push(byte);
        else if (command !== undefined) this.onCommand(command);
      } else if (byte === CTRL_A) this.isEscaped = true;
      else passed.push(byte);
    }
    return new Uint8Array(passed);
  }
}
