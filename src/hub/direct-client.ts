import type { Agent, AgentOptions } from 'node:http'

/** By which a request goes out: the function, and who keeps the connections. */
export interface Client {
  request: typeof import('node:http').request
  agent: Agent
}

// As Node.js's own agents have it.
const KEPT: AgentOptions = { keepAlive: true, scheduling: 'lifo', timeout: 5_000 }

const clients = new Map<string, Promise<Client>>()

/** The connections of this process to servers of that protocol; what it needs is loaded with the first. */
export function clientOf({ protocol }: URL): Promise<Client> {
  const known = clients.get(protocol)
  if (known) return known
  const client = protocol === 'https:' ? secure() : plain()
  clients.set(protocol, client)
  return client
}

async function plain(): Promise<Client> {
  const { Agent, request } = await import('node:http')
  return { request, agent: new Agent(KEPT) }
}

async function secure(): Promise<Client> {
  const { Agent, request } = await import('node:https')
  return { request, agent: new Agent(KEPT) }
}
