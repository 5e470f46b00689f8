; Debug registers: breakpoints on code and data, single steps.
%include "start.inc"

%macro breakpoint 3             ; number, address, DR7
        mov rax, %2
        mov dr%1, rax
        mov rax, %3
        mov dr7, rax
%endmacro
%macro clear_breakpoints 0
        xor eax, eax
        mov dr7, rax
%endmacro

; Prints DR6 and where it was, and goes on. RF has the instruction at a breakpoint executed: processors set it themselves in
; the image of the flags, QEMU does not.
on_debug:
        push rax
        push rbx
        say "  #DB "
        mov rax, [rsp + 16]
        sub rax, [fault_base]
        say "rip+"
        call print_hex
        mov rax, dr6
        and eax, 0xe00f
        show " dr6", rax
        mov rax, [rsp + 32]
        and eax, 0x100
        show "flags", rax
        newline
        mov rax, 0xffff0ff0
        mov dr6, rax
        and qword [rsp + 32], ~0x100
        or qword [rsp + 32], 0x10000
        pop rbx
        pop rax
        iretq

body:
        call setup_idt
        mov rax, on_debug
        mov [idt + 16], ax
        shr rax, 16
        mov [idt + 16 + 6], ax

        say "code", 10
        mov qword [fault_base], .here
        breakpoint 0, .here, 0x401
        mov ecx, 3
.here:  dec ecx
        jnz .here
        clear_breakpoints
        show "ecx", rcx
        newline
        say "code, disabled again", 10
        mov ecx, 3
        jmp .here2
.here2: dec ecx
        jnz .here2

        say "two at one address", 10
        mov qword [fault_base], .two
        breakpoint 1, .two, 0x404
        breakpoint 3, .two, 0x484
        nop
.two:   nop
        clear_breakpoints

        say "write", 10
        mov qword [fault_base], .write
        breakpoint 2, variable, 0xd0410 | (0xd << 24) ; L2, four bytes
.write: mov rax, [variable]
        mov [variable], eax
        mov [variable + 4], eax
        mov [variable + 3], al
        mov byte [variable - 1], 0
        mov word [variable - 1], 0
        inc dword [variable]
        clear_breakpoints

        say "read and write", 10
        mov qword [fault_base], .read
        breakpoint 0, variable, (0x7 << 16) | 0x402   ; G0, two bytes
.read:  mov eax, [variable]
        mov al, [variable + 2]
        mov al, [variable + 1]
        mov [variable], al
        push qword [variable]
        pop rax
        clear_breakpoints

        say "single steps", 10
        mov qword [fault_base], .step
        pushfq
        or qword [rsp], 0x100
        popfq
.step:  nop
        nop
        pushfq
        or qword [rsp], 0x100
        mov qword [fault_base], .step2
        popfq
.step2: mov eax, [variable]
        nop

        say "reserved bits", 10
        xor eax, eax
        mov dr6, rax
        mov rax, dr6
        show "dr6", rax
        mov rax, dr7
        show "dr7", rax
        newline
        expect .wide
        mov qword [fault_base], .wide_at
        mov rax, 0x100000000
.wide_at:
        mov dr7, rax
        say "  no exception", 10
.wide:
        say "done", 10
        finish
        align 16
        dq 0
variable: dq 0, 0, 0
end_of_image:
