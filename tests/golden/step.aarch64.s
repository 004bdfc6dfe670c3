; part 0: native code
.file	"<string>"
	.section	.rodata.cst16,"aM",@progbits,16
	.p2align	4, 0x0
.LCPI0_0:
	.xword	0x0000000000000000
	.xword	0x8000000000000000
	.text
	.globl	loop0.body
	.p2align	2
	.type	loop0.body,@function
loop0.body:
	movi	d3, #0000000000000000
	movi	d0, #0000000000000000
	ldr	x8, [sp]
	movi	d1, #0000000000000000
	subs	x9, x8, x7
	b.le	.LBB0_9
	ldr	d1, [x0]
	ldr	d2, [x2]
	cmp	x9, #4
	b.hs	.LBB0_3
	movi	d4, #0000000000000000
	movi	d5, #0000000000000000
	b	.LBB0_6
.LBB0_3:
	movi	v3.2d, #0000000000000000
	movz	x11, #:abs_g0_nc:.LCPI0_0
	lsl	x12, x7, #3
	movk	x11, #:abs_g1_nc:.LCPI0_0
	dup	v5.2d, v2.d[0]
	and	x10, x9, #0xfffffffffffffffc
	movk	x11, #:abs_g2_nc:.LCPI0_0
	add	x12, x12, #16
	add	x7, x7, x10
	movk	x11, #:abs_g3:.LCPI0_0
	and	x13, x9, #0xfffffffffffffffc
	fneg	v3.2d, v3.2d
	ldr	q4, [x11]
	add	x11, x3, x12
	add	x12, x1, x12
	mov	v6.16b, v4.16b
	mov	v7.16b, v4.16b
	mov	v16.16b, v3.16b
	mov	v17.16b, v3.16b
.LBB0_4:
	ldp	q18, q19, [x12, #-16]
	subs	x13, x13, #4
	ldp	q22, q23, [x11, #-16]
	add	x11, x11, #32
	add	x12, x12, #32
	fmul	v20.2d, v18.2d, v1.d[0]
	fmul	v21.2d, v19.2d, v1.d[0]
	fadd	v20.2d, v5.2d, v20.2d
	fadd	v21.2d, v5.2d, v21.2d
	fsub	v20.2d, v22.2d, v20.2d
	fsub	v21.2d, v23.2d, v21.2d
	fadd	v22.2d, v20.2d, v20.2d
	fadd	v23.2d, v21.2d, v21.2d
	fmul	v20.2d, v20.2d, v20.2d
	fmul	v21.2d, v21.2d, v21.2d
	fneg	v24.2d, v22.2d
	fneg	v25.2d, v23.2d
	fcmeq	v26.2d, v22.2d, #0.0
	fcmeq	v27.2d, v23.2d, #0.0
	fadd	v4.2d, v4.2d, v20.2d
	fadd	v3.2d, v3.2d, v21.2d
	fsub	v6.2d, v6.2d, v22.2d
	fsub	v16.2d, v16.2d, v23.2d
	fmul	v18.2d, v18.2d, v24.2d
	fmul	v19.2d, v19.2d, v25.2d
	fcmeq	v24.2d, v18.2d, v18.2d
	fcmeq	v25.2d, v19.2d, v19.2d
	bic	v24.16b, v26.16b, v24.16b
	bic	v25.16b, v27.16b, v25.16b
	bic	v18.16b, v18.16b, v24.16b
	bic	v19.16b, v19.16b, v25.16b
	fadd	v7.2d, v7.2d, v18.2d
	fadd	v17.2d, v17.2d, v19.2d
	b.ne	.LBB0_4
	fadd	v3.2d, v3.2d, v4.2d
	fadd	v4.2d, v16.2d, v6.2d
	cmp	x9, x10
	fadd	v5.2d, v17.2d, v7.2d
	faddp	d3, v3.2d
	faddp	d4, v4.2d
	faddp	d5, v5.2d
	b.eq	.LBB0_8
.LBB0_6:
	lsl	x10, x7, #3
	sub	x8, x8, x7
	add	x9, x3, x10
	add	x10, x1, x10
.LBB0_7:
	ldr	d6, [x10], #8
	ldr	d16, [x9], #8
	fmul	d7, d1, d6
	fadd	d7, d2, d7
	fsub	d7, d16, d7
	fadd	d16, d7, d7
	fmul	d7, d7, d7
	fnmul	d6, d16, d6
	fcmp	d16, #0.0
	fadd	d3, d3, d7
	fsub	d4, d4, d16
	fccmp	d6, d6, #0, eq
	fcsel	d6, d0, d6, vs
	subs	x8, x8, #1
	fadd	d5, d5, d6
	b.ne	.LBB0_7
.LBB0_8:
	movi	d1, #0000000000000000
	fadd	d0, d4, d1
	fadd	d1, d5, d1
.LBB0_9:
	str	d3, [x4]
	str	d0, [x5]
	str	d1, [x6]
	ret
.Lfunc_end0:
	.size	loop0.body, .Lfunc_end0-loop0.body

	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI1_0:
	.xword	0x3f50624dd2f1a9fc
	.text
	.globl	loop1.body
	.p2align	2
	.type	loop1.body,@function
loop1.body:
	movz	x8, #:abs_g0_nc:.LCPI1_0
	ldr	d0, [x0]
	ldr	d2, [x2]
	movk	x8, #:abs_g1_nc:.LCPI1_0
	ldr	d3, [x3]
	movk	x8, #:abs_g2_nc:.LCPI1_0
	movk	x8, #:abs_g3:.LCPI1_0
	ldr	d1, [x8]
	fmul	d0, d0, d1
	fmul	d1, d2, d1
	ldr	d2, [x1]
	fsub	d0, d2, d0
	fsub	d1, d3, d1
	str	d0, [x4]
	str	d1, [x5]
	ret
.Lfunc_end1:
	.size	loop1.body, .Lfunc_end1-loop1.body

	.section	".note.GNU-stack","",@progbits

	.file	"<string>"
	.text
	.globl	kernel
	.p2align	2
	.type	kernel,@function
kernel:
	stp	x29, x30, [sp, #-32]!
	str	x28, [sp, #16]
	mov	x29, sp
	sub	x9, sp, #416
	and	sp, x9, #0xffffffffffffffc0
	mov	x8, x0
	str	x8, [sp, #24]
	ldr	x0, [x8]
	str	x0, [sp, #48]
	ldr	x1, [x8, #8]
	ldr	x2, [x8, #16]
	str	x2, [sp, #40]
	ldr	x3, [x8, #24]
	mov	x9, sp
	mov	w8, #50
	str	x8, [x9]
	add	x8, sp, #64
	str	x8, [sp, #32]
	add	x4, x8, #128
	add	x5, x8, #192
	add	x6, x8, #256
	mov	x7, xzr
	str	x7, [sp, #56]
	bl	loop0.body
	ldr	x8, [sp, #24]
	ldr	x0, [sp, #32]
	ldr	x1, [sp, #40]
	ldr	x3, [sp, #48]
	ldr	x6, [sp, #56]
	ldr	x9, [x8, #32]
	ldr	d1, [sp, #192]
	movi	d0, #0000000000000000
	fadd	d1, d0, d1
	str	d1, [x9]
	ldr	d1, [sp, #256]
	fadd	d1, d0, d1
	str	d1, [sp, #64]
	ldr	d1, [sp, #320]
	fadd	d0, d0, d1
	add	x2, x0, #64
	str	d0, [sp, #128]
	ldr	x4, [x8, #40]
	ldr	x5, [x8, #48]
	mov	w8, #1
	mov	w7, w8
	bl	loop1.body
	mov	sp, x29
	ldr	x28, [sp, #16]
	ldp	x29, x30, [sp], #32
	ret
.Lfunc_end0:
	.size	kernel, .Lfunc_end0-kernel

	.section	".note.GNU-stack","",@progbits
