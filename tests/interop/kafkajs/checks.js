// What a user of kafkajs does. checks.js BOOTSTRAP
'use strict'
const assert = require('node:assert')
const crypto = require('node:crypto')
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, Partitioners, logLevel } =
  require('kafkajs')

const RUN = `kafkajs-${crypto.randomUUID().slice(0, 8)}`
const kafka = new Kafka({
  clientId: RUN,
  brokers: [process.argv[2]],
  logLevel: logLevel.NOTHING,
  retry: { retries: 3, initialRetryTime: 100 }
})
const admin = kafka.admin()

// kafkajs brings gzip; the others are plugged in, as its manual says.
const lz4 = require('lz4-napi')
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
const zstd = new Promise(resolve =>
  require('zstd-codec').ZstdCodec.run(codec => resolve(new codec.Simple())))
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async buffer => Buffer.from((await zstd).decompress(buffer))
})

// --- small words --------------------------------------------------------------------------------

const numbers = count => Array.from({ length: count }, (_, number) => String(number))
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

async function until (condition, what, seconds = 20) {
  const deadline = Date.now() + seconds * 1000
  while (!(await condition())) {
    assert(Date.now() < deadline, `not within ${seconds} s: ${what}`)
    await pause(20)
  }
}

async function create (name, partitions = 1, settings = {}) {
  const configEntries = Object.entries(settings).map(([key, value]) => ({ name: key, value }))
  await admin.createTopics({
    topics: [{ topic: name, numPartitions: partitions, replicationFactor: 1, configEntries }]
  })
  return name
}

async function produce (topic, messages, options = {}, producerOptions = {}) {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner, ...producerOptions
  })
  await producer.connect()
  try {
    return await producer.send({ topic, messages, ...options })
  } finally {
    await producer.disconnect()
  }
}

const plain = values => values.map(value => ({ value, partition: 0 }))

// A member of a group that collects what it gets; stops are the caller's.
async function member (groupId, topic, options = {}) {
  const consumer = kafka.consumer({
    groupId, heartbeatInterval: 300, maxWaitTimeInMs: 100, rebalanceTimeout: 5000, ...options
  })
  const state = { consumer, messages: [], partitions: [] }
  consumer.on(consumer.events.GROUP_JOIN, event => {
    state.partitions = event.payload.memberAssignment[topic] || []
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      state.messages.push({ partition, ...message })
    }
  })
  return state
}

async function read (topic, count, options = {}) {
  const reader = await member(`${RUN}-read-${crypto.randomUUID()}`, topic, options)
  try {
    await until(() => reader.messages.length >= count, `${count} records of ${topic}`)
    return reader.messages
  } finally {
    await reader.consumer.disconnect()
  }
}

const values = messages =>
  messages.map(message => message.value === null ? null : message.value.toString())

async function refused (type, action) {
  let error
  try { await action() } catch (e) { error = e }
  assert(error, `was not refused with ${type}`)
  const cause = error.cause || {}
  const types = [error, ...(error.errors || []), cause, ...(cause.errors || [])].map(e => e.type)
  assert(types.includes(type), `wanted ${type}, got ${types}: ${error.message}`)
}

async function settingsOf (topic) {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }]
  })
  return Object.fromEntries(resources[0].configEntries.map(e => [e.configName, e.configValue]))
}

// --- topics -------------------------------------------------------------------------------------

const TOPIC = `${RUN}-topic`

async function createDescribeList () {
  await create(TOPIC, 3, { 'retention.ms': '3600000', 'max.message.bytes': '2097152' })
  assert((await admin.listTopics()).includes(TOPIC))
  const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] })
  assert.strictEqual(topics[0].partitions.length, 3)
  const settings = await settingsOf(TOPIC)
  assert.strictEqual(settings['retention.ms'], '3600000')
  assert.strictEqual(settings['max.message.bytes'], '2097152')
  assert.strictEqual(await admin.createTopics({ topics: [{ topic: TOPIC }] }), false)
}

async function morePartitions () {
  await admin.createPartitions({ topicPartitions: [{ topic: TOPIC, count: 4 }] })
  await until(async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] })
    return topics[0].partitions.length === 4
  }, 'four partitions')
  await produce(TOPIC, [{ value: 'in the new one', partition: 3 }])
  const offsets = await admin.fetchTopicOffsets(TOPIC)
  assert.strictEqual(offsets.find(o => o.partition === 3).high, '1')
}

async function alterConfig () {
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{
      type: ConfigResourceTypes.TOPIC,
      name: TOPIC,
      configEntries: [{ name: 'retention.ms', value: '7200000' }]
    }]
  })
  assert.strictEqual((await settingsOf(TOPIC))['retention.ms'], '7200000')
  // AlterConfigs replaces all settings: the one not named is back at its default.
  assert.strictEqual((await settingsOf(TOPIC))['max.message.bytes'], '1048588')
}

async function deleteAndRecreate () {
  const topic = await create(`${RUN}-again`)
  await produce(topic, plain(numbers(10)))
  await admin.deleteTopics({ topics: [topic] })
  await create(topic, 2)
  const [{ baseOffset }] = await produce(topic, plain(['new']))
  assert.strictEqual(baseOffset, '0')
  await admin.deleteTopics({ topics: [topic] })
  await until(async () => !(await admin.listTopics()).includes(topic), 'the topic is gone')
  await refused('UNKNOWN_TOPIC_OR_PARTITION', () => admin.deleteTopics({ topics: [topic] }))
}

// --- produce ------------------------------------------------------------------------------------

async function acks (level) {
  const topic = await create(`${RUN}-acks${level}`)
  await produce(topic, plain(numbers(200)), { acks: level })
  assert.deepStrictEqual(values(await read(topic, 200)), numbers(200))
}

async function codec (name) {
  const topic = await create(`${RUN}-${name.toLowerCase()}`)
  await produce(topic, plain(numbers(1000)), { compression: CompressionTypes[name] })
  assert.deepStrictEqual(values(await read(topic, 1000)), numbers(1000))
}

async function nullsAndHeaders () {
  const topic = await create(`${RUN}-nulls`)
  await produce(topic, [
    { key: 'key', value: 'value', headers: { color: ['blue', 'red'], empty: '' } },
    { key: 'key', value: null },
    { key: null, value: 'value' }
  ])
  const got = await read(topic, 3)
  assert.deepStrictEqual(values(got), ['value', null, 'value'])
  assert.deepStrictEqual(got.map(m => m.key && m.key.toString()), ['key', 'key', null])
  assert.deepStrictEqual(got[0].headers.color.map(String), ['blue', 'red'])
  assert.strictEqual(got[0].headers.empty.toString(), '')
}

async function idempotent () {
  const topic = await create(`${RUN}-idempotent`)
  const producer = kafka.producer({
    idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner
  })
  await producer.connect()
  for (let round = 0; round < 10; round++) {
    const part = numbers(1000).slice(round * 100, round * 100 + 100)
    await producer.send({ topic, messages: plain(part) })
  }
  await producer.disconnect()
  assert.deepStrictEqual(values(await read(topic, 1000)), numbers(1000))
}

async function largeRecord () {
  const topic = await create(`${RUN}-large`, 1, { 'max.message.bytes': '2097152' })
  const value = 'x'.repeat(1048576)
  await produce(topic, plain([value]))
  assert.deepStrictEqual(values(await read(topic, 1, { maxBytesPerPartition: 65536 })), [value])
}

async function oversizedRecord () {
  const topic = await create(`${RUN}-oversized`, 1, { 'max.message.bytes': '10000' })
  await refused('MESSAGE_TOO_LARGE', () => produce(topic, plain(['x'.repeat(20000)])))
  await produce(topic, plain(['small']))
  assert.deepStrictEqual(values(await read(topic, 1)), ['small'])
}

async function autoCreated () {
  const topic = `${RUN}-automatic`
  await produce(topic, plain(numbers(5)))
  assert.strictEqual((await admin.fetchTopicOffsets(topic))[0].high, '5')
}

// --- consume ------------------------------------------------------------------------------------

async function byTimestamp () {
  const topic = await create(`${RUN}-times`)
  const start = 1700000000000
  const at = number => ({ value: `${number}`, timestamp: `${start + number * 1000}`, partition: 0 })
  for (let number = 0; number < 5; number++) await produce(topic, [at(number)])
  const found = await admin.fetchTopicOffsetsByTimestamp(topic, start + 2500)
  assert.strictEqual(found[0].offset, '3')
  const later = await admin.fetchTopicOffsetsByTimestamp(topic, start + 99000)
  assert.strictEqual(later[0].offset, '5')
}

async function deleteRecords () {
  const topic = await create(`${RUN}-trimmed`)
  await produce(topic, plain(numbers(100)))
  // kafkajs deletes only where it has looked before.
  assert.strictEqual((await admin.fetchTopicOffsets(topic))[0].high, '100')
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '30' }] })
  assert.strictEqual((await admin.fetchTopicOffsets(topic))[0].low, '30')
  assert.deepStrictEqual(values(await read(topic, 70)), numbers(100).slice(30))
}

async function seek () {
  const topic = await create(`${RUN}-seek`)
  await produce(topic, plain(numbers(100)))
  const reader = await member(`${RUN}-group-seek`, topic)
  await until(() => reader.messages.length >= 100, 'all records')
  reader.messages.length = 0
  reader.consumer.seek({ topic, partition: 0, offset: '90' })
  await until(() => reader.messages.length >= 10, 'the last ten again')
  await reader.consumer.disconnect()
  assert.deepStrictEqual(values(reader.messages), numbers(100).slice(90))
}

// --- groups -------------------------------------------------------------------------------------

async function twoMembers () {
  const topic = await create(`${RUN}-members`, 4)
  const group = `${RUN}-group-members`
  const first = await member(group, topic)
  await until(() => first.partitions.length === 4, 'the first has all four')
  const second = await member(group, topic)
  await until(() => first.partitions.length === 2 && second.partitions.length === 2,
    'two partitions each')
  assert.deepStrictEqual([...first.partitions, ...second.partitions].sort(), [0, 1, 2, 3])
  const each = [0, 1, 2, 3].flatMap(p => numbers(10).map(value => ({ value, partition: p })))
  await produce(topic, each)
  await until(() => first.messages.length === 20 && second.messages.length === 20, '20 each')
  const { groups } = await admin.describeGroups([group])
  assert.strictEqual(groups[0].state, 'Stable')
  assert.strictEqual(groups[0].members.length, 2)
  await second.consumer.disconnect()
  await until(() => first.partitions.length === 4, 'the first has all four again')
  await first.consumer.disconnect()
}

async function commitAndResume () {
  const topic = await create(`${RUN}-resume`)
  const group = `${RUN}-group-resume`
  await produce(topic, plain(numbers(100)))
  const first = await member(group, topic)
  await until(() => first.messages.length >= 60, '60 records')
  await first.consumer.commitOffsets([{ topic, partition: 0, offset: '40', metadata: 'forty' }])
  await first.consumer.disconnect()
  const second = await member(group, topic)
  await until(() => second.messages.length >= 60, 'the other 60 records')
  await second.consumer.disconnect()
  assert.deepStrictEqual(values(second.messages), numbers(100).slice(40))
  const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  assert.strictEqual(committed.partitions[0].offset, '40')
  assert.strictEqual(committed.partitions[0].metadata, 'forty')
}

async function administerAGroup () {
  const group = `${RUN}-group-resume`
  const listed = async () => (await admin.listGroups()).groups.map(g => g.groupId)
  assert((await listed()).includes(group))
  await admin.deleteGroups([group])
  assert(!(await listed()).includes(group))
}

async function badSessionTimeout () {
  const topic = await create(`${RUN}-short`)
  const consumer = kafka.consumer({
    groupId: `${RUN}-group-short`, sessionTimeout: 100, heartbeatInterval: 50
  })
  const crashed = new Promise(resolve =>
    consumer.on(consumer.events.CRASH, event => resolve(event.payload.error)))
  await consumer.connect()
  await consumer.subscribe({ topic })
  await consumer.run({ eachMessage: async () => {} })
  await refused('INVALID_SESSION_TIMEOUT', async () => {
    throw await Promise.race([crashed, pause(10000).then(() => new Error('no crash in 10 s'))])
  })
  await consumer.disconnect()
}

async function unknownTopic () {
  await refused('UNKNOWN_TOPIC_OR_PARTITION',
    () => admin.fetchTopicOffsets(`${RUN}-unknown`))
  assert(!(await admin.listTopics()).includes(`${RUN}-unknown`))
}

// --- the run ------------------------------------------------------------------------------------

async function main () {
  let passed = 0
  let failed = 0
  const checks = [
    ['create, describe and list a topic with settings', createDescribeList],
    ['more partitions', morePartitions],
    ['alter all settings at once', alterConfig],
    ['delete and recreate under the same name', deleteAndRecreate],
    ...[0, 1, -1].map(level => [`acks=${level}`, acks, level]),
    ...['GZIP', 'Snappy', 'LZ4', 'ZSTD'].map(name => [`codec ${name}`, codec, name]),
    ['null keys, null values and headers', nullsAndHeaders],
    ['idempotent producer, 1000 records in order', idempotent],
    ['a record of 1 MiB', largeRecord],
    ['an oversized record is refused, the topic goes on', oversizedRecord],
    ['producing creates a topic', autoCreated],
    ['seek', seek],
    ['offsets by timestamp', byTimestamp],
    ['delete records', deleteRecords],
    ['two members share and take over', twoMembers],
    ['commit and resume', commitAndResume],
    ['list and delete a group', administerAGroup],
    ['a bad session timeout is refused', badSessionTimeout],
    ['an unknown topic is an error when it may not be created', unknownTopic]
  ]
  await admin.connect()
  for (const [name, check, ...rest] of checks) {
    try {
      await check(...rest)
      passed++
      console.log(`ok - kafkajs: ${name}`)
    } catch (error) {
      failed++
      console.log(`not ok - kafkajs: ${name}`)
      for (const line of String(error.stack).split('\n').slice(0, 8)) console.log(`#   ${line}`)
    }
  }
  await admin.disconnect()
  console.log(`# kafkajs: ${passed} passed, ${failed} failed`)
  process.exit(failed ? 1 : 0)
}

main().catch(error => {
  console.log(`not ok - kafkajs: ${error.stack}`)
  process.exit(1)
})
