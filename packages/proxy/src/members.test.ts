import { expect, test } from 'vitest'
import { type Member, Members } from './members.ts'

test('after 10000 random changes the list has the members of a Set', () => {
  const all = Array.from({ length: 50 }, (_, id): Member & { id: number } => ({
    id,
    memberIndex: -1,
  }))
  const members = new Members<Member & { id: number }>()
  const model = new Set<Member>()
  for (let i = 0; i < 10_000; i += 1) {
    const member = all[Math.floor(Math.random() * all.length)]
    if (!member) continue
    if (Math.random() < 0.5) {
      members.add(member)
      model.add(member)
    } else {
      members.delete(member)
      model.delete(member)
    }
    expect(members.size).toBe(model.size)
  }
  expect(new Set(members.values())).toEqual(model)
})
