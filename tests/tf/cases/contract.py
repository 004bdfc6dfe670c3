"""Products of matrices and tensors, and the operator @."""

from tests.tf.scheme import call, show

A = "f32([[1.0, 2.0, -1.0], [0.5, -3.0, 2.0]])"
B = "f32([[0.5, 1.0], [2.0, -1.0], [3.0, 0.25]])"
C = "c64([[1+2j, 0.5], [2j, -1.0]])"
S = "f32([[[1.0, 2.0], [3.0, 4.0]], [[0.5, -1.0], [2.0, 1.5]]])"
V = "f32([1.0, -2.0, 0.5])"

CASES = [
    call("matmul linalg.matmul", "a, b", a=A, b=B, wrt="a b"),
    call("matmul", "a, b, transpose_a=True, transpose_b=True", a=A, b="f32([[1.0, 2.0], [3.0, 4.0]])",
         wrt="a b"),
    call("matmul", "a, a, adjoint_b=True", a=C, wrt="a"),
    call("matmul", "a, b", a=S, b="f32([[1.0, 0.5], [-1.0, 2.0]])", wrt="a b"),
    call("matmul", "a, np.ones([3, 2])", a=A, wrt="a"),
    call("matmul", "a, [[1.0], [2.0], [3.0]], name='n'", a=A),
    call("matmul", "a, a", a="i32([[1, 2], [3, 4]])"),
    call("matmul", "a, a, output_type=tf.int32", a="i8([[100, 2], [3, 4]])"),
    call("matmul", "a, a", a=A),
    call("matmul", "a, a", a=V),
    call("matmul", "a, b", a=A, b="f64([[1.0], [2.0], [3.0]])"),
    call("matmul", "a, a, transpose_a=True, adjoint_a=True", a=A),
    call("matmul", "a, a, transpose_b=True, adjoint_b=True", a=A),
    call("matmul", "a, a", a="b([[True]])"),
    show("matmul", "a @ b", a=A, b=B),
    show("matmul", "np.ones([2, 2], np.float32) @ a", a=A),
    show("matmul", "a @ b", a=A, b=A),
    call("linalg.matvec", "a, v", a=A, v=V, wrt="a v"),
    call("linalg.matvec", "a, v, transpose_a=True", a=A, v="f32([1.0, 2.0])", wrt="a v"),
    call("linalg.matvec", "a, v, adjoint_a=True", a=C, v="c64([1j, 2.0])", wrt="a v"),
    call("linalg.matvec", "a, v", a=A, v="f32([1.0, 2.0])"),
    call("linalg.matvec", "a, v", a=V, v=V),
    call("tensordot linalg.tensordot", "a, b, 1", a=A, b=B, wrt="a b"),
    call("tensordot", "a, b, axes=[[0, 1], [1, 0]]", a=A, b=B, wrt="a b"),
    call("tensordot", "a, b, 0", a=V, b=V, wrt="a b"),
    call("tensordot", "a, b, axes=[[1], [0]], name='n'", a=S, b="f32([[1.0], [2.0]])",
         wrt="a b"),
    call("tensordot", "a, b, [1, 0]", a=A, b=B),
    call("tensordot", "a, b, tf.constant([[1], [0]])", a=A, b=B),
    call("tensordot", "a, a, 1", a=A),
    call("tensordot", "a, b, 'a'", a=A, b=B),
    call("tensordot", "a, b, 5", a=A, b=B),
    call("tensordot", "a, b, [[0, 1], [1]]", a=A, b=B),
    call("einsum linalg.einsum", "'ij,jk->ik', a, b", a=A, b=B, wrt="a b"),
    call("einsum", "'ij,jk->', a, b", a=A, b=B, wrt="a b"),
    call("einsum", "'bij,bjk->bik', a, a", a=S, wrt="a"),
    call("einsum", "'...ij->...ji', a", a=S, wrt="a"),
    call("einsum", "'ii->i', a", a="f32([[1.0, 2.0], [3.0, 4.0]])", wrt="a"),
    call("einsum", "'ij,jk', a, b", a=A, b=B, wrt="a b"),
    call("einsum", "'i j , jk->ik', a, b, optimize='optimal', name='n'", a=A, b=B),
    call("einsum", "'ij,jk,k->i', a, b, v", a=A, b=B, v="f32([1.0, 2.0])", wrt="a b v"),
    call("einsum", "'ij,jk->ik', a, a", a=A),
    call("einsum", "'ij,jk->ik', a", a=A),
    call("einsum", "'ij,jk->iz', a, b", a=A, b=B),
]
