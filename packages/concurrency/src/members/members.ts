/** A member of one list at most. */
export interface Member {
  /** The place in the list; -1 outside of it. Only the list changes it. */
  memberIndex: number
}

/**
 * A set of objects that live as long as a request. A `Set` replaces its table after some changes, and
 * V8 links each table to the next one. A table that is garbage in the old space then keeps all later
 * tables with their requests alive until a full garbage collection.
 */
export class Members<M extends Member> {
  readonly #list: M[] = []

  get size(): number {
    return this.#list.length
  }

  add(member: M): void {
    if (member.memberIndex >= 0) return
    member.memberIndex = this.#list.length
    this.#list.push(member)
  }

  delete(member: M): void {
    const at = member.memberIndex
    if (at < 0) return
    member.memberIndex = -1
    const last = this.#list.pop()
    if (!last || last === member) return
    this.#list[at] = last
    last.memberIndex = at
  }

  /** Returns the members of this moment. */
  values(): M[] {
    return [...this.#list]
  }
}
