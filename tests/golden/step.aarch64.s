; part 0: native code
.file	"<string>"
	.section	.rodata.cst16,"aM",@progbits,16
	.p2align	4, 0x0
.LCPI0_0:
	.xword	0x0000000000000000
	.xword	0x8000000000000000
	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI0_1:
	.xword	0x3f50624dd2f1a9fc
	.text
	.globl	kernel
	.p2align	2
	.type	kernel,@function
kernel:
	movi	v0.2d, #0000000000000000
	movz	x15, #:abs_g0_nc:.LCPI0_0
	ldr	x9, [x0]
	ldp	x14, x8, [x0, #8]
	movk	x15, #:abs_g1_nc:.LCPI0_0
	movk	x15, #:abs_g2_nc:.LCPI0_0
	ldp	x13, x12, [x0, #24]
	movk	x15, #:abs_g3:.LCPI0_0
	ldp	x10, x11, [x0, #40]
	fneg	v0.2d, v0.2d
	ldr	d2, [x8]
	ldr	q1, [x15]
	ldr	d3, [x9]
	add	x15, x13, #16
	add	x16, x14, #16
	dup	v16.2d, v2.d[0]
	mov	v4.16b, v1.16b
	mov	v5.16b, v1.16b
	mov	w17, #48
	mov	v6.16b, v0.16b
	mov	v7.16b, v0.16b
.LBB0_1:
	ldp	q17, q18, [x16, #-16]
	subs	x17, x17, #4
	ldp	q21, q22, [x15, #-16]
	add	x15, x15, #32
	add	x16, x16, #32
	fmul	v19.2d, v17.2d, v3.d[0]
	fmul	v20.2d, v18.2d, v3.d[0]
	fadd	v19.2d, v16.2d, v19.2d
	fadd	v20.2d, v16.2d, v20.2d
	fsub	v19.2d, v21.2d, v19.2d
	fsub	v20.2d, v22.2d, v20.2d
	fadd	v21.2d, v19.2d, v19.2d
	fadd	v22.2d, v20.2d, v20.2d
	fmul	v19.2d, v19.2d, v19.2d
	fmul	v20.2d, v20.2d, v20.2d
	fneg	v23.2d, v21.2d
	fneg	v24.2d, v22.2d
	fcmeq	v25.2d, v21.2d, #0.0
	fcmeq	v26.2d, v22.2d, #0.0
	fadd	v1.2d, v1.2d, v19.2d
	fadd	v0.2d, v0.2d, v20.2d
	fsub	v4.2d, v4.2d, v21.2d
	fsub	v6.2d, v6.2d, v22.2d
	fmul	v17.2d, v17.2d, v23.2d
	fmul	v18.2d, v18.2d, v24.2d
	fcmeq	v23.2d, v17.2d, v17.2d
	fcmeq	v24.2d, v18.2d, v18.2d
	bic	v23.16b, v25.16b, v23.16b
	bic	v24.16b, v26.16b, v24.16b
	bic	v17.16b, v17.16b, v23.16b
	bic	v18.16b, v18.16b, v24.16b
	fadd	v5.2d, v5.2d, v17.2d
	fadd	v7.2d, v7.2d, v18.2d
	b.ne	.LBB0_1
	ldp	d16, d17, [x14, #384]
	fadd	v4.2d, v6.2d, v4.2d
	ldp	d19, d20, [x13, #384]
	movi	d6, #0000000000000000
	fadd	v5.2d, v7.2d, v5.2d
	fadd	v0.2d, v0.2d, v1.2d
	movz	x13, #:abs_g0_nc:.LCPI0_1
	fmul	d18, d3, d16
	fmul	d3, d3, d17
	movk	x13, #:abs_g1_nc:.LCPI0_1
	faddp	d4, v4.2d
	movk	x13, #:abs_g2_nc:.LCPI0_1
	movk	x13, #:abs_g3:.LCPI0_1
	faddp	d1, v5.2d
	faddp	d0, v0.2d
	fadd	d18, d2, d18
	fadd	d2, d2, d3
	fsub	d18, d19, d18
	fsub	d2, d20, d2
	fadd	d3, d18, d18
	fadd	d19, d2, d2
	fmul	d2, d2, d2
	fnmul	d16, d3, d16
	fcmp	d3, #0.0
	fnmul	d7, d19, d17
	fsub	d3, d4, d3
	fmul	d4, d18, d18
	fccmp	d16, d16, #0, eq
	fsub	d3, d3, d19
	fadd	d0, d0, d4
	fcsel	d16, d6, d16, vs
	fcmp	d19, #0.0
	fadd	d3, d3, d6
	fadd	d0, d0, d2
	ldr	d2, [x13]
	fccmp	d7, d7, #0, eq
	fadd	d1, d1, d16
	fcsel	d5, d6, d7, vs
	fmul	d3, d3, d2
	str	d0, [x12]
	fadd	d1, d1, d5
	fadd	d1, d1, d6
	fmul	d0, d1, d2
	ldr	d1, [x8]
	ldr	d2, [x9]
	fsub	d1, d1, d3
	fsub	d0, d2, d0
	str	d1, [x10]
	str	d0, [x11]
	ret
.Lfunc_end0:
	.size	kernel, .Lfunc_end0-kernel

	.section	".note.GNU-stack","",@progbits
