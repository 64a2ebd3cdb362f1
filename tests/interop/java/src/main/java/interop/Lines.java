package interop;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Answers lines on standard input, one after another, with the function that the first word names. */
final class Lines {

    /** Answers the words after the first. */
    interface Function {
        Object answer(String[] words) throws Exception;
    }

    private Lines() {}

    /** Until standard input ends; then, or when a function fails, the program ends, whatever threads it has. */
    static void answer(Map<String, Function> functions) {
        try {
            var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split(" ");
                System.out.println(functions.get(words[0]).answer(words));
            }
            System.exit(0);
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(1);
        }
    }

    static String refused(Exception error) {
        System.err.println(error);
        return "refused";
    }
}
