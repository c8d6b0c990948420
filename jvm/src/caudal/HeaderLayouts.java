package caudal;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** How the csv files of a batch are laid out; a file's is known by its number here. */
public final class HeaderLayouts implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * {@code header}: the line that names the columns, or null; {@code names}: what it names, folded, in its order; {@code places}: of each
   * column of the schema its field, or -1; {@code fields}: of each record; {@code problem}: why the file cannot be read, or null.
   */
  record HeaderLayout(byte[] header, String[] names, int[] places, int fields, String problem) implements Serializable {}

  private final List<HeaderLayout> all = new ArrayList<>();

  /** {@code header} without its line end, {@code names} parted by line ends, both empty for none; {@code places} parted by commas. */
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
