// Reads messages with Apache Kafka's own classes. Every line of input is a message's name, the
// version to read, the version to write and the bytes in hexadecimal, or "default" for a message
// that nothing was set in; the line of output is what Kafka writes, in hexadecimal, and what it
// understood, as JSON of the version read.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.Readable;

public class KafkaOracle {
    private static final String[] PACKAGES = {
        "org.apache.kafka.common.message.",
        "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.",
    };

    public static void main(String[] arguments) throws Exception {
        var input = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        var output = new PrintStream(System.out, false, "UTF-8");
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ", -1);
            String answer;
            try {
                answer = answer(words[0], Short.parseShort(words[1]), Short.parseShort(words[2]), words[3]);
            } catch (Exception | Error failure) {
                answer = "refused " + failure;
            }
            output.print(answer.replace('\n', ' ') + "\n");
        }
        output.flush();
    }

    private static String answer(String name, short read, short write, String bytes)
        throws Exception {
        Class<?> type = find(name);
        Message message = bytes.equals("default")
            ? (Message) type.getConstructor().newInstance()
            : parse(type, read, bytes);
        ByteBuffer written = MessageUtil.toByteBufferAccessor(message, write).buffer();
        byte[] again = new byte[written.remaining()];
        written.get(again);
        Method toJson = Class.forName(type.getName() + "JsonConverter")
            .getMethod("write", type, short.class, boolean.class);
        return HexFormat.of().formatHex(again) + " " + toJson.invoke(null, message, read, false);
    }

    private static Message parse(Class<?> type, short version, String bytes) throws Exception {
        ByteBuffer buffer = ByteBuffer.wrap(HexFormat.of().parseHex(bytes));
        var constructor = type.getConstructor(Readable.class, short.class);
        Message message = (Message) constructor.newInstance(new ByteBufferAccessor(buffer), version);
        if (buffer.hasRemaining()) {
            throw new IllegalArgumentException(buffer.remaining() + " bytes are left");
        }
        return message;
    }

    private static Class<?> find(String name) throws ClassNotFoundException {
        for (String place : PACKAGES) {
            for (String ending : new String[] {"Data", ""}) {
                try {
                    return Class.forName(place + name + ending);
                } catch (ClassNotFoundException next) {
                    // it may stand in another package
                }
            }
        }
        throw new ClassNotFoundException(name);
    }
}
