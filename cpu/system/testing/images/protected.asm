; 32-bit protected mode: gates, rings, 32-bit and PAE paging, call gates, instructions that 64-bit mode lacks, 16-bit
; segments, then real mode and back.

%include "start32.inc"

body:
        try "ud2", ud2
        try "int3", int3
        try "int 0x42", int 0x42
        xor ecx, ecx
        try "div", div ecx
        try "bound", bound ecx, [.bounds]
        say "into", 10
        expect .into
        mov dword [fault_base], .overflow
        mov al, 0x7f
        add al, 1
.overflow:
        into
.into:  try "into, no overflow", into
        try "not present", mov fs, word [.absent]
        try "null ss", mov ss, word [.zero]
        try "code in ss", mov ss, word [.code]
        try "beyond the table", mov fs, word [.beyond]
        try "jump to data", jmp DATA:0
        try "swapgs", db 0x0f, 0x01, 0xf8
        ; bases
        mov ax, BASED
        mov fs, ax
        mov dword [0x5010], 0x12345678
        show "based", [fs:0x4010]
        mov ax, 4
        mov gs, ax
        show "local", [gs:0x3010]
        mov ebx, 0xffffff00
        mov dword [0x5100], 0x9abcdef0
        show "wraps", [fs:ebx + 0x4200]
        newline
        lar eax, word [.data]
        and eax, 0xf0ff00
        show "lar", eax
        lsl eax, word [.data]
        show "lsl", eax
        lsl eax, word [.tss]
        show "lsl tss", eax
        mov eax, 0x55
        lar eax, word [.beyond]
        show "lar beyond", eax
        sgdt [0x5000]
        show "sgdt", [0x5000]
        sidt [0x5000]
        show "sidt", [0x5000]
        sldt eax
        show "sldt", eax
        str ax
        movzx eax, ax
        show "str", eax
        smsw ax
        movzx eax, ax
        show "smsw", eax
        newline
        ; instructions that 64-bit mode does not have
        mov eax, 0x1234abcd
        daa
        pushf
        pop ecx
        and ecx, 0xd5
        show "daa", eax
        show "flags", ecx
        mov eax, 0x1234
        aam
        show "aam", eax
        aad
        show "aad", eax
        mov eax, 0x0109
        add al, 8
        aaa
        show "aaa", eax
        mov eax, 0x0205
        sub al, 8
        aas
        show "aas", eax
        mov al, 0x23
        sub al, 0x35
        das
        show "das", eax
        stc
        db 0xd6
        show "salc", eax
        newline
        mov eax, 1
        mov ecx, 2
        mov edx, 3
        mov ebx, 4
        mov ebp, 5
        mov esi, 6
        mov edi, 7
        pusha
        show "pusha", [esp + 4 * 3 + 4]
        popa
        o16 pusha
        o16 popa
        inc eax
        dec ecx
        add eax, ecx
        show "sum", eax
        mov word [0x5000], 0x13
        mov bx, 2
        arpl [0x5000], bx
        show "arpl", [0x5000]
        push es
        les edi, [.pointer]
        mov ax, es
        movzx eax, ax
        show "les", eax
        show "edi", edi
        pop es
        call CODE:.far
        jmp .far_done
.far:   show "far", [esp + 4 + 4]
        retf
.far_done:
        call far [.far_pointer]
        jmp .far_done2
.far2:  retf
.far_done2:
        push 0x1111
        push 0x2222
        call CODE:.far3
        show "esp", esp
        jmp .far_done3
.far3:  retf 8
.far_done3:
        newline
        ; strings, 16-bit addresses
        mov esi, .text
        mov edi, 0x5000
        mov ecx, 12
        rep movsb
        mov esi, 0x5000
        mov edi, 0x5100
        mov ecx, 0xabcd0003
        a16 rep movsd
        show "ecx", ecx
        show "esi", esi
        show "moved", [0x5104]
        mov ecx, 0x10005
        mov bx, 0x5000
        mov si, 4
        mov eax, [bx + si + 4]
        show "bx+si", eax
        lea eax, [bx + si + 0x7ff0]
        show "lea", eax
        mov ecx, 0x10003
.count: inc eax
        a16 loop .count
        show "loop", eax
        show "ecx", ecx
        mov al, 3
        mov ebx, .text
        xlatb
        show "xlat", eax
        newline
        enter 16, 3
        mov eax, ebp
        sub eax, esp
        show "enter", eax
        leave
        show "esp", esp
        newline

        ; rings
        user_begin "user: nothing"
        nop
        user_end
        user_begin "user: hlt"
        hlt
        user_end
        user_begin "user: cli"
        cli
        user_end
        user_begin "user: kernel data"
        mov ax, DATA
        mov ds, ax
        user_end
        user_begin "user: pushf, popf"
        push 0x3202
        popf
        user_end
        mov dword [user_flags], 0x3002
        user_begin "user: cli with IOPL 3"
        cli
        sti
        cli
        user_end
        mov dword [user_flags], 2
        mov edi, gate_descriptor
        mov eax, .gate_target
        mov [edi], ax
        mov word [edi + 2], CODE
        mov word [edi + 4], 0xec02      ; two parameters
        shr eax, 16
        mov [edi + 6], ax
        user_begin "user: call gate"
        push 0x1234
        push 0x5678
        call GATE:0
        int 0x80
        user_end
        jmp .gates_done
.gate_target:
        push ds
        mov ax, DATA
        mov ds, ax
        mov ax, cs
        movzx eax, ax
        show "  gate: cs", eax
        show "parameter", [esp + 4 * 3 + 4]
        show "parameter", [esp + 4 * 4 + 4]
        show "esp", [esp + 4 * 5 + 4]
        newline
        pop ds
        retf 8
.gates_done:

        ; 32-bit paging: 4 MiB pages, then a table for the second
        mov edi, 0x6000
        mov eax, 0x87
        mov ecx, 1024
.map:   stosd
        add eax, 0x400000
        loop .map
        mov edi, 0x7000
        mov eax, 0x400007
        mov ecx, 1024
.fill:  stosd
        add eax, 0x1000
        loop .fill
        mov dword [0x6004], 0x7007
        mov eax, 0x6000
        mov cr3, eax
        mov eax, cr4
        or eax, 0x90
        mov cr4, eax
        mov dword [0x7000 + 4], 0
        mov dword [0x7000 + 8], 0x402005
        mov dword [0x7000 + 12], 0x403003
        mov eax, cr0
        or eax, 0x80010000
        mov cr0, eax
        call .page_tests
        show "PDE", [0x6004]
        show "PTE", [0x7000 + 5 * 4]
        newline
        mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        ; PAE
        mov edi, 0x6000
        xor eax, eax
        mov ecx, 0x800
        rep stosd
        mov dword [0x6000], 0x8001
        mov edi, 0x8000
        mov eax, 0x87
        mov ecx, 8
.map2:  stosd
        mov dword [edi], 0
        add edi, 4
        add eax, 0x200000
        loop .map2
        mov edi, 0x7000
        mov eax, 0x400007
        mov ecx, 512
.fill2: stosd
        mov dword [edi], 0
        add edi, 4
        add eax, 0x1000
        loop .fill2
        mov dword [0x8010], 0x7007
        mov dword [0x7008], 0
        mov dword [0x7010], 0x402005
        mov dword [0x7018], 0x403003
        mov dword [0x7024], 0x80000000
        mov eax, cr4
        or eax, 0x20
        mov cr4, eax
        mov eax, 0x6000
        mov cr3, eax
        mov ecx, 0xc0000080
        rdmsr
        or eax, 0x800
        wrmsr
        mov eax, cr0
        or eax, 0x80010000
        mov cr0, eax
        call .page_tests
        mov byte [0x404000], 0xc3
        mov ebx, 0x404000
        try "no execution", call ebx
        show "PDE", [0x8010]
        show "PTE", [0x7028]
        newline
        mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        jmp .real

.page_tests:
        try "read", mov eax, [0x401004]
        try "write", mov [0x401004], eax
        try "write to a read-only page", mov [0x402004], eax
        try "read of it", mov eax, [0x402004]
        mov [0x405000], eax
        user_begin "user: read"
        mov eax, [0x401004]
        user_end
        user_begin "user: write to a read-only page"
        mov [0x402004], eax
        user_end
        user_begin "user: supervisor page"
        mov eax, [0x403004]
        user_end
        ret

.bounds:        dd 1, 5
.pointer:       dd 0x11223344
                dw BASED
.far_pointer:   dd .far2
                dw CODE
.text:          db "hello, world", 0
.absent:        dw ABSENT
.zero:          dw 0
.code:          dw CODE
.beyond:        dw 0x1000
.data:          dw DATA
.tss:           dw TSSSEL

.real:
        ; 16-bit protected mode, then real mode: code at 0x9000 = 0900:0000
        mov esi, real_code
        mov edi, 0x9000
        mov ecx, real_code_end - real_code
        rep movsb
        mov [saved_esp], esp
        lidt [real_idt_pointer]
        jmp 0x78:0
back:
        bits 32
        mov ax, DATA
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov esp, [saved_esp]
        lidt [idt_pointer]
        show "back, ax", [0xa000]
        show "bx", [0xa004]
        show "ip", [0xa008]
        newline
        try "ud2", ud2
        say "done", 10
        mov dx, EXIT
        mov al, 0
        out dx, al
        hlt
saved_esp: dd 0

        align 16
real_code:
        bits 16
%define AT(label) (label - real_code)
        mov ax, 0x80            ; data, 16 bits, base 0
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov eax, cr0
        and al, 0xfe
        mov cr0, eax
        jmp 0x0900:AT(.real_mode)
.real_mode:
        mov ax, 0x0900
        mov ds, ax
        xor ax, ax
        mov ss, ax
        mov sp, 0x8000
        mov es, ax
        mov si, AT(.hello)
        call .print
        ; INT through the table at 0
        mov word [es:0x21 * 4], AT(.interrupt)
        mov word [es:0x21 * 4 + 2], cs
        mov word [es:0 * 4], AT(.divide)
        mov word [es:0 * 4 + 2], cs
        mov word [es:6 * 4], AT(.undefined)
        mov word [es:6 * 4 + 2], cs
        mov bx, 0x1234
        sti
        int 0x21
        xor cx, cx
        mov ax, 7
        div cx
.after_divide:
        ud2
.after_undefined:
        call 0x0900:AT(.far)
        ; segments wrap and overlap
        mov ax, 0xffff
        mov fs, ax
        mov dword [es:0x500], 0x01020304
        mov eax, [fs:0x510]     ; at 0x100500: A20 is on
        mov ax, 0x50
        mov fs, ax
        mov eax, [fs:0]
        mov si, AT(.four)
        cmp eax, 0x01020304
        je .same
        mov si, AT(.five)
.same:  call .print
        ; 32-bit operands and addresses
        mov eax, 0x12345678
        mov ebx, AT(.numbers)
        add eax, [ebx + 4]
        mov [es:0xa000], eax
        push eax
        pop dword [es:0xa004]
        pushf
        pop ax
        and ax, 0x7fd5
        mov word [es:0xa008], ax
        mov word [es:0xa00a], sp
        ; strings with DF, and 16-bit wrap
        push ds
        pop es
        mov di, AT(.buffer)
        mov cx, 5
        mov al, 'x'
        cld
        rep stosb
        mov si, AT(.buffer)
        call .print
        xor ax, ax
        mov es, ax
        cli
        lgdt [AT(.gdt_pointer)]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword CODE:back
.print:
        lodsb
        test al, al
        jz .printed
        mov dx, CONSOLE
        out dx, al
        jmp .print
.printed:
        ret
.interrupt:
        push si
        mov si, AT(.one)
        call .print
        pop si
        iret
.divide:
        mov si, AT(.two)
        call .print
        push bp
        mov bp, sp
        mov word [bp + 2], AT(.after_divide)
        pop bp
        iret
.undefined:
        mov si, AT(.three)
        call .print
        push bp
        mov bp, sp
        mov word [bp + 2], AT(.after_undefined)
        pop bp
        iret
.far:   mov si, AT(.far_text)
        call .print
        retf
.hello: db "real mode", 10, 0
.one:   db "interrupt", 10, 0
.two:   db "divide", 10, 0
.three: db "undefined", 10, 0
.four:  db "segments", 10, 0
.five:  db "wrong segments", 10, 0
.far_text: db "far", 10, 0
.numbers: dd 1, 0x10000001
.buffer: times 5 db 0
        db 10, 0
.gdt_pointer:
        dw gdt_end2 - gdt - 1
        dd gdt
real_code_end:
gdt_end2 equ gdt_end
end_of_image:
