package caudal;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The header layouts of the csv files of a batch. A file refers to its layout by number. */
public final class HeaderLayouts implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * {@code header}: the line that names the columns, or null; {@code names}: the folded names in it; {@code
   * places}: for each column of the schema the number of its field, or -1; {@code fields}: number of fields
   * of each record; {@code problem}: why the file cannot be read, or null.
   */
  record HeaderLayout(byte[] header, String[] names, int[] places, int fields, String problem)
      implements Serializable {}

  private final List<HeaderLayout> all = new ArrayList<>();

  /**
   * {@code header}: without its line end; {@code names}: separated by line ends; both empty without a header.
   * {@code places}: separated by commas.
   */
  public void add(String header, String names, String places, int fields) {
    byte[] line = header.isEmpty() ? null : header.getBytes(StandardCharsets.UTF_8);
    int[] numbers = Arrays.stream(places.split(",")).mapToInt(Integer::parseInt).toArray();
    all.add(new HeaderLayout(line, names.split("\n", -1), numbers, fields, null));
  }

  public void addRefused(String problem) {
    all.add(new HeaderLayout(null, new String[0], new int[0], 0, problem));
  }

  HeaderLayout get(int number) {
    return all.get(number);
  }
}
