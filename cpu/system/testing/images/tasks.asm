; Hardware task switches and virtual-8086 mode.
%include "start32.inc"

%define VAT(label) (label - virtual_code)

TASKA   equ 0x88                ; TSS, 32 bits
TASKB   equ 0x90                ; TSS, 16 bits
TASKV   equ 0x98                ; TSS of a virtual-8086 task
TASKX   equ 0xa0                ; TSS whose CS is bad
TGATE   equ 0xa8                ; task gate to TASKA
TOOSHORT equ 0xb0                ; TSS that is too short
EXITS   equ 0xb8                ; task gate to TASKX

%macro system_descriptor 4      ; selector, address, limit, access
        mov eax, %2
        mov edi, gdt + %1
        mov word [edi], %3
        mov [edi + 2], ax
        shr eax, 16
        mov [edi + 4], al
        mov byte [edi + 5], %4
        mov byte [edi + 6], 0
        mov [edi + 7], ah
%endmacro
%macro gate 2                   ; selector of the gate, of the TSS
        mov dword [gdt + %1], %2 << 16
        mov dword [gdt + %1 + 4], 0x0000e500
%endmacro

; prints the flags that matter here, CR0.TS, TR, the busy bits of all tasks
show_tasks:
        pushad
        pushfd
        pop eax
        and eax, 0x24200
        show "  flags", eax
        mov eax, cr0
        and eax, 8
        show "ts", eax
        xor eax, eax
        str ax
        show "tr", eax
        movzx eax, byte [tss_descriptor + 5]
        show "main", eax
        movzx eax, byte [gdt + TASKA + 5]
        show "a", eax
        movzx eax, byte [gdt + TASKB + 5]
        show "b", eax
        movzx eax, word [task_a]
        show "link", eax
        newline
        clts
        popad
        ret

body:
        system_descriptor TASKA, task_a, 0x67, 0x89
        system_descriptor TASKB, task_b, 0x2b, 0x81
        system_descriptor TASKV, task_v, 0x67, 0x89
        system_descriptor TASKX, task_x, 0x67, 0x89
        system_descriptor TOOSHORT, task_a, 0x60, 0x89
        gate TGATE, TASKA
        gate EXITS, TASKX

        say "call", 10
        mov dword [task_a + 0x20], echo
        mov ebx, 0x12345678
        mov ecx, 0x9abcdef0
        call TASKA:0
        call show_tasks
        show "ebx", ebx
        show "ecx", ecx
        newline
        say "call through a gate", 10
        call TGATE:0
        call show_tasks
        say "jump there and back", 10
        mov dword [task_a + 0x20], jump_back
        mov dword [task_a + 0x24], 2
        jmp TASKA:0
        call show_tasks
        say "call of a 16-bit task", 10
        call TASKB:0
        call show_tasks
        movzx eax, word [task_b + 0x12]
        show "saved ax", eax
        newline

        mov dword [task_a + 0x20], echo
        mov dword [task_a + 0x24], 2
        try "busy", jmp TSSSEL:0
        try "too short", call TOOSHORT:0
        try "data", call DATA:0
        try "iret without a task behind", call no_link
        ; an interrupt, and an exception with error code, through task gates
        mov dword [idt + 0x50 * 8], TASKA << 16
        mov dword [idt + 0x50 * 8 + 4], 0x8500
        say "interrupt", 10
        int 0x50
        call show_tasks
        mov dword [idt + 13 * 8], TASKA << 16
        mov dword [idt + 13 * 8 + 4], 0x8500
        mov dword [task_a + 0x20], with_error
        mov dword [task_a + 0x38], 0x70000
        say "exception", 10
        mov ax, 0x1234
        mov fs, ax
after_exception:
        call show_tasks
        mov eax, stubs + 13 * 16
        mov [idt + 13 * 8], ax
        mov word [idt + 13 * 8 + 2], CODE
        shr eax, 16
        mov word [idt + 13 * 8 + 4], 0x8e00
        mov [idt + 13 * 8 + 6], ax
        ; a double fault in a task of its own, as Linux has it
        mov dword [idt + 8 * 8], TASKA << 16
        mov dword [idt + 8 * 8 + 4], 0x8500
        mov byte [idt + 13 * 8 + 5], 0x0e
        mov dword [task_a + 0x20], double_fault
        mov dword [task_a + 0x38], 0x70000
        say "double fault", 10
        mov ax, 0x1234
        mov fs, ax
after_double_fault:
        call show_tasks
        mov byte [idt + 13 * 8 + 5], 0x8e

        ; virtual-8086 mode: code at 1000:0000
        mov esi, virtual_code
        mov edi, 0x10000
        mov ecx, virtual_end - virtual_code
        rep movsb
%macro virtual 2                ; name, offset of the code
        say %1, 10
        expect %%done
        mov dword [fault_base], %2
        mov ebx, %2
        jmp to_virtual
%%done:
%endmacro
        virtual "virtual: segments", VAT(virtual_code.segments)
        show "stored", [0x20010]
        newline
        virtual "virtual: cli with IOPL 0", VAT(virtual_code.cli)
        virtual "virtual: pushf with IOPL 0", VAT(virtual_code.pushf)
        virtual "virtual: int with IOPL 0", VAT(virtual_code.int)
        virtual "virtual: int3", VAT(virtual_code.int3)
        virtual "virtual: hlt", VAT(virtual_code.hlt)
        virtual "virtual: lldt", VAT(virtual_code.lldt)
        virtual "virtual: out, refused", VAT(virtual_code.out)
        virtual "virtual: far jump, ret", VAT(virtual_code.far)
        virtual "virtual: iret with IOPL 0", VAT(virtual_code.iret)
        mov dword [virtual_flags], 0x23002
        virtual "virtual: cli with IOPL 3", VAT(virtual_code.cli)
        virtual "virtual: pushf with IOPL 3", VAT(virtual_code.pushf)
        virtual "virtual: popf with IOPL 3", VAT(virtual_code.popf)
        virtual "virtual: int with IOPL 3", VAT(virtual_code.int)
        virtual "virtual: iret with IOPL 3", VAT(virtual_code.iret)
        virtual "virtual: out is refused still", VAT(virtual_code.out)
        say "virtual: a task", 10
        expect .task_done
        mov dword [fault_base], 0
        mov dword [task_v + 0x20], VAT(virtual_code.int3)
        jmp TASKV:0
.task_done:
        say "done", 10
        mov dx, EXIT
        mov al, 0
        out dx, al
        hlt

to_virtual:
        push 0x4000             ; GS
        push 0x3000             ; FS
        push 0x2000             ; DS
        push 0x5000             ; ES
        push 0x6000             ; SS
        push 0x800              ; ESP
        push dword [virtual_flags]
        push 0x1000             ; CS
        push ebx
        iret
virtual_flags: dd 0x20002

no_link:
        pushfd
        or dword [esp], 0x4000
        popfd
        mov word [tss], 0
        iret

; ---- tasks ----

echo:
        say "  task a", 10
        call show_tasks
        show "  ebx", ebx
        newline
        iret
        say "  task a again", 10
        call show_tasks
        iret
        jmp echo

jump_back:
        say "  task a by jump", 10
        call show_tasks
        jmp TSSSEL:0

with_error:
        show "  error code", [esp]
        newline
        call show_tasks
        mov dword [tss + 0x20], after_exception
        add esp, 4
        iret

double_fault:
        show "  double fault, code", [esp]
        show "eip+", [tss + 0x20]
        newline
        call show_tasks
        mov dword [tss + 0x20], after_double_fault
        add esp, 4
        iret

        align 4
%macro task 4                   ; EIP, ESP, flags, code selector
        dd 0, RING0, DATA, 0, 0, 0, 0
        dd 0
        dd %1, %3
        dd 0x11111111, 0x22222222, 0x33333333, 0x44444444, %2, 0x55555555, 0x66666666, 0x77777777
        dd DATA, %4, DATA, DATA, DATA, DATA
        dd LDTSEL
        dw 0, 0x68
%endmacro
task_a: task echo, 0x70000, 2, CODE
task_v: dd 0, RING0, DATA, 0, 0, 0, 0
        dd 0
        dd 0, 0x20002
        dd 1, 2, 3, 4, 0x800, 6, 7, 8
        dd 0x5000, 0x1000, 0x6000, 0x2000, 0x3000, 0x4000
        dd 0
        dw 0, 0x68
task_x: task echo, 0x70000, 2, DATA
task_b: dw 0, 0, 0, 0, 0, 0, 0
        dw .code - start, 2
        dw 0x1111, 0x2222, 0x3333, 0x4444, 0x8000, 0x5555, 0x6666, 0x7777
        dw DATA, CODE16, DATA, DATA
        dw 0
        bits 16
.code:  mov dx, CONSOLE         ; at base 0x100000
        mov al, ' '
        out dx, al
        mov al, 'b'
        out dx, al
        mov al, 10
        out dx, al
        mov ax, 0x4321
        iret
        bits 32

        align 16
virtual_code:
        bits 16
.segments:
        mov ax, 0xabcd
        mov [0x10], ax          ; 20010
        mov ax, ds
        mov es, ax
        mov ax, [es:0x10]
        inc ax
        mov [0x12], ax
        push ax
        pop bx
        int3
.cli:   cli
        int3
.pushf: pushf
        pop ax
        int3
.popf:  push 0x7002
        popf
        nop
        int3
.int:   int 0x21
        int3
.int3:  int3
.hlt:   hlt
.lldt:  lldt ax
.out:   mov dx, 0x80
        out dx, al
.far:   push cs
        push VAT(virtual_code.there)
        retf
.there: jmp 0x1000:VAT(virtual_code.again)
.again: int3
.iret:  pushf
        push cs
        push VAT(virtual_code.int3)
        iret
        bits 32
virtual_end:
end_of_image:
